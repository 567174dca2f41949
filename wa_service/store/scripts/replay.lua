-- include: clock lifetime bell identity
-- A dead letter into its mailbox again, behind what waits; the mark of having been seen does not matter.
-- ARGV 1 id · 2 keep (s) · 3.. addresses of its customer. Returns 1, 0 (unknown) or -1 (no conversation).
local d = redis.call('HMGET', 'wa:dead:' .. ARGV[1], 'event', 'c', 'n')
if not d[1] then return 0 end
local c = d[2]
if #ARGV > 2 then
  local addresses = {}
  for i = 3, #ARGV do addresses[#addresses + 1] = ARGV[i] end
  c = resolve(d[3], addresses, tonumber(ARGV[2]))
end
if not c or c == '' then return -1 end
local last = redis.call('ZRANGE', 'wa:box:' .. c, -1, -1, 'WITHSCORES')
local score = math.max(math.floor(now / 1000) * 1000000, last[2] and tonumber(last[2]) + 1 or 0)
redis.call('HINCRBY', 'wa:lane:' .. c, 'seq', 1)
redis.call('ZADD', 'wa:box:' .. c, score, d[1])
redis.call('ZREM', 'wa:dead', ARGV[1])
redis.call('DEL', 'wa:dead:' .. ARGV[1])
if redis.call('ZADD', 'wa:due', 'NX', now, c) == 1 then ring('wa:bell') end
return 1
