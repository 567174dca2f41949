-- The work failed, or cannot be done now: the conversation is due again later. Where it does not count as a failure, the
-- delivery is taken back.
-- note: see `push_note`.
-- Return the failures so far, or -1 when the lease is another's.
-- args: conversation token delay_ms:number consumer is_failure:flag retention:number note
-- include: allow_when_full clock lifetime thread lease wake
local counters = prefix .. 'conv:' .. conversation
if not holds(conversation, token) then return -1 end
redis.call('HDEL', prefix .. 'held:' .. consumer, conversation)
push_note(conversation, note, retention)
redis.call('HINCRBY', counters, 'token', 1) -- whoever still works on it has lost it
if is_failure then
  redis.call('HINCRBY', counters, 'failures', 1)
else
  redis.call('HINCRBY', counters, 'deliveries', -1)
end
redis.call('ZADD', prefix .. 'due', 'XX', now + delay_ms, conversation)
if delay_ms == 0 then wake(prefix .. 'wake') end
return tonumber(redis.call('HGET', counters, 'failures') or 0)
