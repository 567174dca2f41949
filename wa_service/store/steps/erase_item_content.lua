-- Delete an item's content, which names an erased person, once it has left: its record takes over the mark.
-- Return 1 where it will be deleted, 0 where it is marked already or does not wait.
-- args: id index
-- include: allow_when_full batch
local MARK = '{"forgotten":1,'
local item = redis.call('HGET', items_key(id), index)
if not item or string.sub(item, 1, #MARK) == MARK then return 0 end
redis.call('HSET', items_key(id), index, MARK .. string.sub(item, 2))
if redis.call('EXISTS', batch_key(id)) == 1 then redis.call('HINCRBY', batch_key(id), 'bytes', #MARK - 1) end
return 1
