-- Delete labels that name an erased person from an item that waits. labels: "tag", "opaque".
-- Return how many were deleted.
-- args: id index labels...
-- include: allow_when_full batch
local item = redis.call('HGET', items_key(id), index)
if not item then return 0 end
local facts, body = string.match(item, '^([^\n]*)(.*)$')
local send = cjson.decode(facts)
for _, label in ipairs(labels) do send[label] = nil end
local without = cjson.encode(send) .. body
redis.call('HSET', items_key(id), index, without)
if redis.call('EXISTS', batch_key(id)) == 1 then redis.call('HINCRBY', batch_key(id), 'bytes', #without - #item) end
return #labels
