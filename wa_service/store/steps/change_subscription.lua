-- Change fields of an existing subscription; an empty value removes its field. Return 1, 0 where there is none.
-- args: subscription facts...
-- include: allow_when_full
local subscription_key = prefix .. 'subscription:' .. subscription
if redis.call('EXISTS', subscription_key) == 0 then return 0 end
for i = 1, #facts, 2 do
  if facts[i + 1] == '' then
    redis.call('HDEL', subscription_key, facts[i])
  else
    redis.call('HSET', subscription_key, facts[i], facts[i + 1])
  end
end
return 1
