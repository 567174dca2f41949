-- The caller of an idempotent request has its answer: a repeat is no longer told to wait.
-- ARGV 1 idempotency key
if redis.call('EXISTS', ARGV[1]) == 1 then redis.call('HSET', ARGV[1], 'until', 0) end
return 1
