-- include: clock lifetime bell bury release
-- The event becomes a dead letter; the conversation's next message goes on.
-- ARGV 1 c · 2 token · 3 event · 4 puller · 5 keep (s) · 6 dead letter's id · 7 kind · 8 reason · 9 n
-- Returns 1, or 0 when the lease is another's or the event is gone.
redis.call('DEL', 'wa:none')
local lane = 'wa:lane:' .. ARGV[1]
if redis.call('HGET', lane, 'token') ~= ARGV[2] then return 0 end
if redis.call('ZREM', 'wa:box:' .. ARGV[1], ARGV[3]) == 0 then return 0 end
local tries = tonumber(redis.call('HGET', lane, 'takes') or 0)
bury(ARGV[6], ARGV[7], ARGV[8], tries, ARGV[9], ARGV[1], ARGV[3], tonumber(ARGV[5]))
release(ARGV[1], ARGV[4])
return 1
