-- End a template's pause and make all held sends of these numbers due. Those that wait for another template are held
-- again by `next`.
-- Return how many sends became due.
-- args: waba template numbers...
-- include: allow_when_full clock
local released = 0
redis.call('HDEL', prefix .. 'paused_templates:' .. waba, template)
for _, number in ipairs(numbers) do
  local held, scheduled = prefix .. 'held_sends:' .. number, prefix .. 'scheduled:' .. number
  for _, id in ipairs(redis.call('SPOP', held, 10000)) do
    released = released + redis.call('ZADD', scheduled, 'XX', 'CH', wall, id)
  end
end
return released
