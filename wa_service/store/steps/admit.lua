-- include: clock lifetime bell tell identity bury rate
-- One received event into its conversation's mailbox; the same event again is recognised by its digest.
-- ARGV 1 event (JSON) · 2 digest of number + message id · 3 n · 4 Meta's timestamp (s) · 5 name · 6 ceiling of a
--      mailbox · 7 keep (s) · 8 mark's life (s) · 9.. addresses
-- Returns "new", "duplicate" or "flood".
local n, keep = ARGV[3], tonumber(ARGV[7])
if not redis.call('SET', 'wa:seen:' .. ARGV[2], '', 'NX', 'EX', ARGV[8]) then return 'duplicate' end
local addresses = {}
for i = 9, #ARGV do addresses[#addresses + 1] = ARGV[i] end
local c = resolve(n, addresses, keep)
local second = tonumber(ARGV[4])
if second <= 0 or second * 1000 > now then second = math.floor(now / 1000) end

local contact = 'wa:contact:' .. c
local window = math.max(tonumber(redis.call('HGET', contact, 'window_end') or 0), second * 1000 + 86400000)
local known = { 'n', n, 'last_in', now, 'window_end', window, 'name', ARGV[5] }
redis.call('HSET', contact, unpack(known, 1, ARGV[5] ~= '' and 8 or 6))
tell('message', c, ARGV[1], keep)
count_from(n, ARGV[2], now)

local box, lane = 'wa:box:' .. c, 'wa:lane:' .. c
local waiting = redis.call('ZCARD', box)
if waiting >= tonumber(ARGV[6]) then
  bury(redis.sha1hex(ARGV[2]), 'flood', 'the mailbox of this conversation is full', 0, n, c, ARGV[1], keep)
  return 'flood'
end
local seq = 1
if waiting == 0 then
  redis.call('HSET', lane, 'seq', seq)
else
  seq = redis.call('HINCRBY', lane, 'seq', 1)
end
renew(lane, 691200)
redis.call('ZADD', box, second * 1000000 + seq, ARGV[1])
if redis.call('ZADD', 'wa:due', 'NX', now, c) == 1 then ring('wa:bell') end
return 'new'
