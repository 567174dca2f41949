-- The caller of an idempotent request has its answer: a repeat is no longer told to wait.
-- args: idempotency
if redis.call('EXISTS', idempotency) == 1 then redis.call('HSET', idempotency, 'until', 0) end
