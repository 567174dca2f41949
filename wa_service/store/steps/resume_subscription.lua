-- Push to a subscription again, also after a pause. Its failures end, and those of pushes that are under way do not
-- count (see `push_failed`). Return 1, 0 where there is none.
-- args: subscription
-- include: allow_when_full
local subscription_key = prefix .. 'subscription:' .. subscription
if redis.call('EXISTS', subscription_key) == 0 then return 0 end
local token = redis.call('HGET', subscription_key, 'token') or 0
redis.call('HSET', subscription_key, 'state', 'active', 'resumed_after', token)
redis.call('HDEL', subscription_key, 'paused_reason', 'paused_at', 'failures', 'failing_since', 'level', 'probe',
  'retry_at', 'wait_until')
return 1
