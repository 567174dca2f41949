-- Note that a worker process is alive; one without a heartbeat for 15 s is no longer counted.
-- args: consumer
-- include: allow_when_full clock
local workers = prefix .. 'workers'
redis.call('ZADD', workers, now, consumer)
redis.call('ZREMRANGEBYSCORE', workers, '-inf', now - 15000)
redis.call('EXPIRE', workers, 60)
