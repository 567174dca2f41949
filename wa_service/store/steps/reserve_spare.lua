-- Reserve throughput for a read mark or a typing indicator: only while a fifth of it is free and the number is not
-- paused.
-- Return 1 or 0.
-- args: number throughput
-- include: refuse_when_full clock lifetime rate
if redis.call('EXISTS', prefix .. 'pause:' .. number) == 1 then return 0 end
local allowed = tonumber(redis.call('HGET', prefix .. 'meta_limits:' .. number, 'throughput') or throughput)
local pace = redis.call('HGET', prefix .. 'pace:' .. number, 'n')
if pace then allowed = math.min(allowed, math.floor(tonumber(pace))) end
if throughput_of(number, math.max(1, math.floor(allowed * 0.8)), 10)(0) > 0 then return 0 end
count_sent(number, 'mark:' .. clock[1] .. ':' .. clock[2], now)
return 1
