-- Erase a person's events that wait for a subscriber; a lease on one of them ends. Return how many events waited.
-- args: subscription conversation
-- include: allow_when_full clock subscription
local s = subscriber(subscription)
local count = redis.call('LLEN', s.lane(conversation))
redis.call('DEL', s.lane(conversation), s.head(conversation))
redis.call('ZREM', s.due, conversation)
if count > 0 and redis.call('HEXISTS', s.key, 'waiting') == 1 then redis.call('HINCRBY', s.key, 'waiting', -count) end
return count
