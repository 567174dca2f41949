-- Store a batch's items from index `first` up to `up_to`, unless an earlier try has. items: for each, its index,
-- number, earliest time of sending (ms, "0" with the batch) and content. refused: the reasons of items that are not
-- stored.
-- Return how many items were stored, -1 where too many bytes of the caller's messages wait.
-- args: id first:number up_to:number seconds:number refused:json items...
-- include: refuse_when_full clock batch
local key = batch_key(id)
local v = redis.call('HMGET', key, 'state', 'stored', 'caller')
if v[1] ~= 'loading' or tonumber(v[2]) ~= first then return 0 end
local bytes = 0
for i = 4, #items, 4 do bytes = bytes + #items[i] end
if waiting_bytes(v[3] or '') + bytes > MOST_UNSENT_BYTES then return -1 end
redis.call('HINCRBY', key, 'bytes', bytes)
for i = 1, #items, 4 do
  local index, number, at = items[i], items[i + 1], tonumber(items[i + 2])
  redis.call('HSET', items_key(id), index, items[i + 3])
  if at > wall then
    redis.call('ZADD', later_key(id, number), at, index)
    redis.call('EXPIRE', later_key(id, number), seconds)
  else
    redis.call('RPUSH', wait_key(id, number), index)
    redis.call('EXPIRE', wait_key(id, number), seconds)
  end
  redis.call('HSETNX', key, 'number:' .. number, 1)
end
if refused[1] then
  redis.call('RPUSH', refused_key(id), unpack(refused))
  redis.call('EXPIRE', refused_key(id), seconds)
end
redis.call('EXPIRE', items_key(id), seconds)
redis.call('HINCRBY', key, 'total', #items / 4)
redis.call('HINCRBY', key, 'n:scheduled', #items / 4)
redis.call('HSET', key, 'stored', up_to)
return #items / 4
