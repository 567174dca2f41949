-- End a template's pause and make all held sends of these numbers due. Those that wait for another template are held
-- again by `next`. at: of the event that says so (ms, 0: now).
-- Return how many sends became due.
-- args: waba template at:number numbers...
-- include: allow_when_full clock lifetime template_events
local released = 0
if not is_newest(waba, template, at) then return 0 end
redis.call('HDEL', prefix .. 'paused_templates:' .. waba, template)
for _, number in ipairs(numbers) do
  local held, scheduled = prefix .. 'held_sends:' .. number, prefix .. 'scheduled:' .. number
  for _, id in ipairs(redis.call('SPOP', held, 10000)) do
    released = released + redis.call('ZADD', scheduled, 'XX', 'CH', wall, id)
  end
end
return released
