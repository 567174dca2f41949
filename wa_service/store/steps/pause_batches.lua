-- Pause the running batches of these numbers that send this template ("" any) in this language ("" any), or may send
-- it in several; with digits, only of the number that is displayed as these.
-- mark: of the event that is the cause, whose repeat pauses nothing that was resumed since ("" none) · waba, about:
-- what the event is about, as in `template_events` ("" no template), at: its time (ms, 0: now). After a later event
-- about it nothing is paused.
-- Return how many were paused.
-- args: template language digits reason mark mark_seconds waba about at:number numbers...
-- include: allow_when_full clock lifetime thread events batch template_events
if mark ~= '' and not redis.call('SET', prefix .. 'seen:' .. mark, '', 'NX', 'EX', mark_seconds) then return 0 end
if about ~= '' and has_later(waba, about, at) then return 0 end
local paused = 0
for _, number in ipairs(numbers) do
  if digits == '' or redis.call('HGET', prefix .. 'meta_limits:' .. number, 'seen_as') == digits then
    for _, batch in ipairs(redis.call('ZRANGE', batches_key(number), 0, -1)) do
      local v = redis.call('HMGET', batch_key(batch), 'template', 'language')
      local is_meant = template == '' or v[1] == template and (language == '' or (v[2] or language) == language)
      if is_meant and pause_batch(batch, reason) then paused = paused + 1 end
    end
  end
end
return paused
