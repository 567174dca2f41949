-- Renew a lease.
-- Return 1, or 0 when the lease is another's by now.
-- args: conversation token lease_ms:number
-- include: allow_when_full clock
if redis.call('HGET', prefix .. 'conv:' .. conversation, 'token') ~= token then return 0 end
redis.call('ZADD', prefix .. 'due', 'XX', now + lease_ms, conversation)
return 1
