-- Forget an item that waits in a batch or stands in a lane: its customer is forgotten. Its record, if it has one, is
-- erased after it, and counts no more whatever becomes of it until then.
-- Return 1, or 0 when it does not wait.
-- args: id index
-- include: allow_when_full clock lifetime wake thread events batch
local item = redis.call('HGET', items_key(id), index)
if not item then return 0 end
local record = prefix .. 'record:' .. item_record(id, index)
-- One that was swept of a canceled batch has no body any more.
local counted = redis.call('HGET', record, 'counted') or (string.find(item, '\n', 1, true) and 'scheduled' or 'canceled')
forget_item(id, index)
redis.call('HDEL', record, 'batch')
redis.call('HINCRBY', batch_key(id), 'n:' .. counted, -1)
redis.call('HINCRBY', batch_key(id), 'total', -1)
finish_batch(id)
return 1
