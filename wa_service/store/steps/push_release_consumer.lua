-- Release the leases of a worker process that died, or that lost the answer of `push_take`: the events are due at once,
-- and no try is counted. held: tokens of leases to keep. Return how many were released.
-- args: subscription consumer held...
-- include: allow_when_full clock subscription
local s = subscriber(subscription)
local is_held = {}
for _, token in ipairs(held) do is_held[token] = true end
local count = 0
-- The score of a leased conversation in `due` is the lease's end. `window` of push_take bounds their number.
for _, conversation in ipairs(redis.call('ZRANGEBYSCORE', s.due, '(' .. now, '+inf')) do
  local v = redis.call('HMGET', s.head(conversation), 'token', 'consumer')
  if v[1] and v[2] == consumer and not is_held[v[1]] then
    redis.call('HDEL', s.head(conversation), 'token', 'lease')
    redis.call('ZADD', s.due, 'XX', now, conversation)
    count = count + 1
  end
end
return count
