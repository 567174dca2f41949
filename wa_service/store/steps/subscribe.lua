-- Store a subscription, unless there are `most` others already; one with this id is replaced. facts: field and value in
-- turn. Return 1, 0 where there is no room.
-- args: subscription most:number facts...
-- include: refuse_when_full clock
local ids = prefix .. 'subscriptions'
if redis.call('SISMEMBER', ids, subscription) == 0 and redis.call('SCARD', ids) >= most then return 0 end
redis.call('HSET', prefix .. 'subscription:' .. subscription, 'created', wall, unpack(facts))
redis.call('SADD', ids, subscription)
return 1
