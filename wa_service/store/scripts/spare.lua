-- include: clock
-- May a read mark or a typing indicator go out now? Only while a fifth of the throughput is free and the number is
-- not paused; it counts. ARGV 1 n · 2 throughput a second. Returns 1 or 0.
local rate = 'wa:rate:' .. ARGV[1]
if redis.call('EXISTS', 'wa:pause:' .. ARGV[1]) == 1 then return 0 end
local full = tonumber(redis.call('HGET', 'wa:said:' .. ARGV[1], 'throughput') or ARGV[2])
local pace = redis.call('HGET', 'wa:pace:' .. ARGV[1], 'n')
if pace then full = math.min(full, math.floor(tonumber(pace))) end
local nth = redis.call('LINDEX', rate, -math.max(1, math.floor(full * 0.8)))
if nth and now - math.min(tonumber(nth), now) < 1025 then return 0 end
redis.call('RPUSH', rate, now)
redis.call('LTRIM', rate, -full, -1)
redis.call('EXPIRE', rate, 5)
return 1
