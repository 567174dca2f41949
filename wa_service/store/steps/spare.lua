-- include: clock lifetime rate
-- May a read mark or a typing indicator go out now? Only while a fifth of the throughput is free and the number is
-- not paused; it counts. ARGV 1 n · 2 throughput a second. Returns 1 or 0.
if redis.call('EXISTS', 'wa:pause:' .. ARGV[1]) == 1 then return 0 end
local full = tonumber(redis.call('HGET', 'wa:said:' .. ARGV[1], 'throughput') or ARGV[2])
local pace = redis.call('HGET', 'wa:pace:' .. ARGV[1], 'n')
if pace then full = math.min(full, math.floor(tonumber(pace))) end
if room(ARGV[1], math.max(1, math.floor(full * 0.8)), 10) > 0 then return 0 end
count_from(ARGV[1], 'mark:' .. clock[1] .. ':' .. clock[2], now)
return 1
