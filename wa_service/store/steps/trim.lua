-- Remove entries past the retention from the stream and from the lists of dead letters, sends and conversations; dead
-- letters themselves expire. `append_event` trims whole nodes of the stream only, which on a quiet service may never
-- happen. Needs no memory. batch_wait: how long (s) a batch is kept in addition.
-- Return how many entries left the stream, at most about `most`.
-- args: retention:number batch_wait:number most:number
-- include: allow_when_full clock
local stream, before = prefix .. 'events', wall - retention * 1000
redis.call('ZREMRANGEBYSCORE', prefix .. 'dead', '-inf', before)
for _, name in ipairs({ 'sends', 'recent' }) do redis.call('ZREMRANGEBYSCORE', prefix .. name, '-inf', before) end
redis.call('ZREMRANGEBYSCORE', prefix .. 'batches', '-inf', before - batch_wait * 1000)
-- Whole nodes first, a bounded number; then the rest of one.
local trimmed = redis.call('XTRIM', stream, 'MINID', '~', before, 'LIMIT', most)
if trimmed < most / 2 then trimmed = trimmed + redis.call('XTRIM', stream, 'MINID', before) end
return trimmed
