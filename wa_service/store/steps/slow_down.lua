-- Meta said 130429: a fifth less, at most once a second; it grows back by 1 % for each good second (in `next`).
-- throughput: messages a second.
-- Return the pace from now on.
-- args: number throughput
-- include: allow_when_full clock
local key = prefix .. 'pace:' .. number
local v = redis.call('HMGET', key, 'n', 'lowered')
local full = tonumber(redis.call('HGET', prefix .. 'meta_limits:' .. number, 'throughput') or throughput)
local pace = tonumber(v[1] or full)
if not v[2] or now - tonumber(v[2]) >= 1000 then
  pace = math.max(1, pace * 0.8)
  redis.call('HSET', key, 'n', tostring(pace), 'lowered', now, 'grown', now)
  redis.call('EXPIRE', key, 86400)
end
return math.floor(pace)
