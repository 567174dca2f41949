-- include: clock
-- What is over its time leaves the stream and the list of dead letters; each letter itself ends on its own. The stream
-- is trimmed by `tell` only where a whole node is over, which on a quiet service may be never. Needs no memory.
-- ARGV 1 keep (s). Returns 1.
local before = now - ARGV[1] * 1000
redis.call('XTRIM', 'wa:events', 'MINID', before)
redis.call('ZREMRANGEBYSCORE', 'wa:dead', '-inf', before)
return 1
