-- include: clock lifetime bell identity
-- A dead letter into its customer's mailbox again, behind what waits; the mark of having been seen does not matter.
-- Its conversation may have been joined with another since, so its addresses are resolved anew.
-- ARGV 1 id · 2 keep (s) · 3 ceiling of a mailbox · 4.. addresses of its customer
-- Returns "back", "unknown", "nobody" (it belongs to no conversation) or "full".
local d = redis.call('HMGET', 'wa:dead:' .. ARGV[1], 'event', 'n')
if not d[1] then return 'unknown' end
if #ARGV < 4 then return 'nobody' end
local addresses = {}
for i = 4, #ARGV do addresses[#addresses + 1] = ARGV[i] end
local c = resolve(d[2], addresses, tonumber(ARGV[2]))
if redis.call('ZCARD', 'wa:box:' .. c) >= tonumber(ARGV[3]) then return 'full' end
local last = redis.call('ZRANGE', 'wa:box:' .. c, -1, -1, 'WITHSCORES')
local score = math.max(math.floor(now / 1000) * 1000000, last[2] and tonumber(last[2]) + 1 or 0)
redis.call('HINCRBY', 'wa:lane:' .. c, 'seq', 1)
renew('wa:lane:' .. c, 691200)
redis.call('ZADD', 'wa:box:' .. c, score, d[1])
redis.call('ZREM', 'wa:dead', ARGV[1])
redis.call('DEL', 'wa:dead:' .. ARGV[1])
if redis.call('ZADD', 'wa:due', 'NX', now, c) == 1 then ring('wa:bell') end
return 'back'
