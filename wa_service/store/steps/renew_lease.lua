-- Renew a lease.
-- Return 1, or 0 when the lease was lost or its work has ended.
-- args: conversation token lease_ms:number
-- include: allow_when_full clock lease
if not holds(conversation, token) then return 0 end
redis.call('ZADD', prefix .. 'due', 'XX', now + lease_ms, conversation)
return 1
