-- Set a subscription's cursor; events after it are pushed, again where they were. Return 1, 0 where there is none.
-- args: subscription cursor
-- include: allow_when_full clock subscription
local s = subscriber(subscription)
if redis.call('EXISTS', s.key) == 0 then return 0 end
s.forget_lanes()
redis.call('HSET', s.key, 'cursor', cursor)
redis.call('HDEL', s.key, 'failures', 'failing_since', 'level', 'probe', 'retry_at', 'wait_until')
return 1
