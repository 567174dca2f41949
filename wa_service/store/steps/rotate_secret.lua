-- Sign with a new secret, and for `old_seconds` also with the one before. The current secret again changes nothing, so
-- workers that start together with the same new one rotate once. Return 1, 0 where there is no such subscription.
-- args: subscription secret old_seconds:number
-- include: allow_when_full clock
local subscription_key = prefix .. 'subscription:' .. subscription
if redis.call('EXISTS', subscription_key) == 0 then return 0 end
local before = redis.call('HGET', subscription_key, 'secret') or ''
if before ~= secret then
  local until_ms = wall + old_seconds * 1000
  redis.call('HSET', subscription_key, 'secret', secret, 'old_secret', before, 'old_secret_until', until_ms)
end
return 1
