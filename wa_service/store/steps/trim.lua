-- What is over its time leaves the stream and the lists of dead letters, sends and conversations; each letter itself ends on its own. The stream
-- is trimmed by `append_event` only where a whole node is over, which on a quiet service may be never. Needs no memory.
-- Return how many entries left the stream, at most about `most` of them.
-- args: retention:number most:number
-- include: allow_when_full clock
local BATCH_WAITS_MS = 3456000000 -- as long a batch may wait beside: 40 days
local stream, before = prefix .. 'events', wall - retention * 1000
redis.call('ZREMRANGEBYSCORE', prefix .. 'dead', '-inf', before)
for _, name in ipairs({ 'sends', 'recent' }) do redis.call('ZREMRANGEBYSCORE', prefix .. name, '-inf', before) end
redis.call('ZREMRANGEBYSCORE', prefix .. 'batches', '-inf', before - BATCH_WAITS_MS)
-- Whole nodes first, so many of them; then what is left of one.
local trimmed = redis.call('XTRIM', stream, 'MINID', '~', before, 'LIMIT', most)
if trimmed < most / 2 then trimmed = trimmed + redis.call('XTRIM', stream, 'MINID', before) end
return trimmed
