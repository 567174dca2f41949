-- Forget an item that waits in a batch: its customer is forgotten. One that stands in a lane is erased with it.
-- Return 1, or 0 when it does not wait.
-- args: id index
-- include: allow_when_full clock lifetime wake thread events batch
if redis.call('HDEL', items_key(id), index) == 0 then return 0 end
local counted = redis.call('HGET', batch_key(id), 'state') == 'canceled' and 'n:canceled' or 'n:scheduled'
redis.call('HINCRBY', batch_key(id), counted, -1)
redis.call('HINCRBY', batch_key(id), 'total', -1)
finish_batch(id)
return 1
