-- include: clock
-- Meta said 130429: a fifth less, at most once a second; it grows back by 1 % for each good second (in `next`).
-- ARGV 1 n · 2 throughput a second. Returns the pace from now on.
redis.call('DEL', 'wa:none')
local k = 'wa:pace:' .. ARGV[1]
local v = redis.call('HMGET', k, 'n', 'cut')
local full = tonumber(redis.call('HGET', 'wa:said:' .. ARGV[1], 'throughput') or ARGV[2])
local at = tonumber(v[1] or full)
if not v[2] or now - tonumber(v[2]) >= 1000 then
  at = math.max(1, at * 0.8)
  redis.call('HSET', k, 'n', tostring(at), 'cut', now, 'grown', now)
  redis.call('EXPIRE', k, 86400)
end
return math.floor(at)
