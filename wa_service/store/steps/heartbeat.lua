-- A worker process works; one that says nothing for 15 s is counted no more.
-- args: consumer
-- include: allow_when_full clock
local workers = prefix .. 'workers'
redis.call('ZADD', workers, now, consumer)
redis.call('ZREMRANGEBYSCORE', workers, '-inf', now - 15000)
redis.call('EXPIRE', workers, 60)
