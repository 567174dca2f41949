-- What is over its time leaves the stream and the list of dead letters; each letter itself ends on its own. The stream
-- is trimmed by `append_event` only where a whole node is over, which on a quiet service may be never. Needs no memory.
-- args: retention:number
-- include: clock
local before = now - retention * 1000
redis.call('XTRIM', prefix .. 'events', 'MINID', before)
redis.call('ZREMRANGEBYSCORE', prefix .. 'dead', '-inf', before)
