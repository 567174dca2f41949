-- Erase an item that waits in its batch or in a lane. The caller erases its record afterwards; the batch no longer
-- counts it.
-- Return 1, or 0 when it does not wait.
-- args: id index
-- include: allow_when_full clock lifetime thread events batch
local item = redis.call('HGET', items_key(id), index)
if not item then return 0 end
local record = prefix .. 'record:' .. item_record(id, index)
-- An item that `batch_sweep` canceled has no body.
local counted = redis.call('HGET', record, 'counted') or (string.find(item, '\n', 1, true) and 'scheduled' or 'canceled')
forget_item(id, index)
redis.call('HDEL', record, 'batch')
redis.call('HINCRBY', batch_key(id), 'n:' .. counted, -1)
redis.call('HINCRBY', batch_key(id), 'total', -1)
finish_batch(id)
return 1
