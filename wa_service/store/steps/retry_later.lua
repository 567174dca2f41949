-- Make a conversation due again later, because its work failed or cannot be done now. If it is no failure, the delivery
-- is not counted. note: see `push_note`.
-- Return the failures so far, or -1 when the lease was lost.
-- args: conversation token delay_ms:number consumer is_failure:flag retention:number note
-- include: allow_when_full clock lifetime thread lease wake
local counters = prefix .. 'conv:' .. conversation
if not holds(conversation, token) then return -1 end
redis.call('HDEL', prefix .. 'leases:' .. consumer, conversation)
push_note(conversation, note, retention)
redis.call('HINCRBY', counters, 'token', 1) -- ends the lease
if is_failure then
  redis.call('HINCRBY', counters, 'failures', 1)
else
  redis.call('HINCRBY', counters, 'deliveries', -1)
end
redis.call('ZADD', prefix .. 'due', 'XX', now + delay_ms, conversation)
if delay_ms == 0 then wake(prefix .. 'wake') end
return tonumber(redis.call('HGET', counters, 'failures') or 0)
