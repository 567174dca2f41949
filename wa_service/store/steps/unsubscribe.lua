-- Delete a subscription and its waiting events. Return 1, 0 where there is none.
-- args: subscription
-- include: allow_when_full clock subscription
local s = subscriber(subscription)
s.forget_lanes()
redis.call('SREM', prefix .. 'subscriptions', subscription)
return redis.call('DEL', s.key)
