-- include: clock
-- A worker process says that it works; one that says nothing for 15 s is counted no more. ARGV 1 puller
redis.call('DEL', 'wa:none')
redis.call('ZADD', 'wa:alive', now, ARGV[1])
redis.call('ZREMRANGEBYSCORE', 'wa:alive', '-inf', now - 15000)
redis.call('EXPIRE', 'wa:alive', 60)
return 1
