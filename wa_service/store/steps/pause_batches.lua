-- Pause the running batches of these numbers that send this template ("" any); with digits, only of the number that is
-- displayed as these.
-- Return how many were paused.
-- args: template digits reason numbers...
-- include: allow_when_full clock lifetime thread events batch
local paused = 0
for _, number in ipairs(numbers) do
  if digits == '' or redis.call('HGET', prefix .. 'meta_limits:' .. number, 'seen_as') == digits then
    for _, batch in ipairs(redis.call('ZRANGE', batches_key(number), 0, -1)) do
      local is_meant = template == '' or redis.call('HGET', batch_key(batch), 'template') == template
      if is_meant and pause_batch(batch, reason) then paused = paused + 1 end
    end
  end
end
return paused
