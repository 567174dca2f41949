-- Store whom an erasure is about, before it deletes how their addresses belong together: if it is interrupted, the next
-- one continues it. erasure: its name · person: JSON · seconds: after which one that was not continued is forgotten.
-- args: erasure person seconds:number
-- include: allow_when_full clock
local erasures = prefix .. 'erasures'
local all = redis.call('HGETALL', erasures)
for i = 1, #all, 2 do
  local noted = tonumber(string.match(all[i + 1], '^%d+'))
  if noted < wall - seconds * 1000 then redis.call('HDEL', erasures, all[i]) end
end
redis.call('HSET', erasures, erasure, string.format('%d', wall) .. ' ' .. person)
redis.call('EXPIRE', erasures, seconds)
