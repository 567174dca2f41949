-- Erase an event from a mailbox that others share (a group's): its sender is forgotten. Whoever works on it has lost it,
-- and the next one is due.
-- Return 1, or 0 when it is not there.
-- args: conversation event
-- include: clock lifetime wake
local mailbox, counters = prefix .. 'mailbox:' .. conversation, prefix .. 'conv:' .. conversation
local head = redis.call('ZRANGE', mailbox, 0, 0)[1]
if redis.call('ZREM', mailbox, event) == 0 then return 0 end
if head ~= event then return 1 end
redis.call('HDEL', counters, 'head', 'deliveries', 'failures')
redis.call('HINCRBY', counters, 'token', 1)
refresh_ttl(counters, CONVERSATION_SECONDS)
if redis.call('EXISTS', mailbox) == 1 then
  redis.call('ZADD', prefix .. 'due', now, conversation)
  wake(prefix .. 'wake')
else
  redis.call('ZREM', prefix .. 'due', conversation)
end
return 1
