-- Bind the tag to a service's numbers, because two services with one tag would answer each other's customers. A service
-- keeps its tag as long as one of its numbers stays. Removed numbers are remembered while sends of theirs wait.
-- Return the bound numbers where none of them is given and their service is still at work, else an empty list.
-- args: numbers...
-- include: allow_when_full clock batch
local key, former = prefix .. 'numbers', prefix .. 'former_numbers'
local bound = redis.call('SMEMBERS', key)
local shared = #bound == 0
for _, number in ipairs(numbers) do
  if redis.call('SISMEMBER', key, number) == 1 then shared = true end
end
if not shared then
  local works = redis.call('ZCOUNT', prefix .. 'workers', now - 15000, '+inf') > 0
    or redis.call('EXISTS', prefix .. 'due', prefix .. 'busy', prefix .. 'unknown') > 0
  for _, number in ipairs(bound) do
    works = works or has_waiting_items(number) or redis.call('EXISTS', prefix .. 'out:' .. number .. ':0',
      prefix .. 'out:' .. number .. ':1', prefix .. 'scheduled:' .. number) > 0
  end
  if works then return bound end
end
if #bound > 0 then redis.call('SADD', former, unpack(bound)) end
redis.call('DEL', key)
redis.call('SADD', key, unpack(numbers))
redis.call('SREM', former, unpack(numbers))
return {}
