-- Create a batch, or find it: `id` is made from the caller's idempotency key, if given. It sends nothing until it is
-- started. facts: fields and values · seconds: its ttl until then.
-- Return {"loading"|"running"|…, items stored so far}, or {"conflict", 0} where the key was used for another request.
-- args: id fingerprint retention:number seconds:number facts...
-- include: refuse_when_full clock
local key = prefix .. 'batch:' .. id
local v = redis.call('HMGET', key, 'state', 'fingerprint', 'stored')
if v[1] then
  if v[2] ~= fingerprint then return { 'conflict', 0 } end
  return { v[1], tonumber(v[3] or 0) }
end
redis.call('HSET', key, 'state', 'loading', 'fingerprint', fingerprint, 'created', wall, 'retention', retention,
  'stored', 0, 'total', 0, 'n:scheduled', 0, unpack(facts))
redis.call('EXPIRE', key, seconds)
redis.call('ZADD', prefix .. 'batches', wall, id)
redis.call('SADD', prefix .. 'batches_of:' .. (redis.call('HGET', key, 'caller') or ''), id)
return { 'loading', 0 }
