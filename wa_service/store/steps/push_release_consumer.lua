-- What a worker process leased of a subscriber's events is due at once, and counts as no try: the process died, or the
-- answer that handed them out was lost. held: tokens of the leases that it goes on with. Return how many were released.
-- args: subscription consumer held...
-- include: allow_when_full clock subscription
local s = subscriber(subscription)
local is_held = {}
for _, token in ipairs(held) do is_held[token] = true end
local count = 0
-- What is leased stands in `due` at its lease's end; `window` of push_take bounds how much that can be.
for _, conversation in ipairs(redis.call('ZRANGEBYSCORE', s.due, '(' .. now, '+inf')) do
  local v = redis.call('HMGET', s.head(conversation), 'token', 'consumer')
  if v[1] and v[2] == consumer and not is_held[v[1]] then
    redis.call('HDEL', s.head(conversation), 'token', 'lease')
    redis.call('ZADD', s.due, 'XX', now, conversation)
    count = count + 1
  end
end
return count
