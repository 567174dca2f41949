-- Lower the pace by a fifth after Meta's 130429, at most once a second; `next` raises it by 1 % for each second
-- without. throughput: messages a second.
-- Return the new pace, 0 where nothing changed.
-- args: number throughput
-- include: allow_when_full clock
local key = prefix .. 'pace:' .. number
local v = redis.call('HMGET', key, 'n', 'lowered')
local full = tonumber(redis.call('HGET', prefix .. 'meta_limits:' .. number, 'throughput') or throughput)
local pace = tonumber(v[1] or full)
if v[2] and now - tonumber(v[2]) < 1000 then return 0 end
pace = math.max(1, pace * 0.8)
redis.call('HSET', key, 'n', tostring(pace), 'lowered', now, 'grown', now)
redis.call('EXPIRE', key, 86400)
return math.floor(pace)
