-- Note that the caller of an idempotent request got its answer: a repeat no longer has to wait.
-- args: idempotency
if redis.call('EXISTS', idempotency) == 1 then redis.call('HSET', idempotency, 'until', 0) end
