-- include: clock
-- A webhook of ours was answered 5xx, or a web process started: since then Meta's silence proves less (`settle`).
-- ARGV 1 life (s)
redis.call('SET', 'wa:refused_at', now, 'EX', ARGV[1])
return 1
