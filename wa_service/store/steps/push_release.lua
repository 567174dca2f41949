-- Release leases of a stopping worker: the events are due at once, and no try is counted. leases: conversation and
-- token in turn.
-- args: subscription leases...
-- include: allow_when_full clock subscription
local s = subscriber(subscription)
for i = 1, #leases, 2 do
  if redis.call('HGET', s.head(leases[i]), 'token') == leases[i + 1] then
    redis.call('HDEL', s.head(leases[i]), 'token', 'lease')
    redis.call('ZADD', s.due, 'XX', now, leases[i])
  end
end
return 1
