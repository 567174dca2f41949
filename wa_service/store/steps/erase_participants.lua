-- Erase participants of a group from a message's record.
-- Return how many.
-- args: id addresses...
-- include: allow_when_full
local record = prefix .. 'record:' .. id
local found = redis.call('HGET', record, 'participants')
if not found then return 0 end
local all, gone, left = cjson.decode(found), 0, 0
for _, address in ipairs(addresses) do
  if all[address] then gone = gone + 1 end
  all[address] = nil
end
for _ in pairs(all) do left = left + 1 end
if gone == 0 then return 0 end
if left == 0 then redis.call('HDEL', record, 'participants') else redis.call('HSET', record, 'participants', cjson.encode(all)) end
return gone
