-- include: clock lifetime bell tell lane put release
-- The replies into the outbox and the event off the mailbox: all or nothing, and only for the lease's holder.
-- ARGV 1 c · 2 token · 3 event · 4 puller · 5 keep (s) · 6 heard (JSON for the events stream, or "")
--      · 7 contact field to set to now, or "" (a contact that is no more stays forgotten) · 8.. replies (specs of put, JSON)
-- Returns 1, or 0 when the lease is another's or the event is already finished.
local c = ARGV[1]
redis.call('DEL', 'wa:none') -- a first write that needs no memory: a full server still lets work end
if redis.call('HGET', 'wa:lane:' .. c, 'token') ~= ARGV[2] then return 0 end
if redis.call('ZREM', 'wa:box:' .. c, ARGV[3]) == 0 then return 0 end
if ARGV[6] ~= '' then tell('heard', c, ARGV[6], tonumber(ARGV[5])) end
if ARGV[7] ~= '' and redis.call('EXISTS', 'wa:contact:' .. c) == 1 then
  redis.call('HSET', 'wa:contact:' .. c, ARGV[7], now)
end
for i = 8, #ARGV do put(cjson.decode(ARGV[i]), c) end
release(c, ARGV[4])
return 1
