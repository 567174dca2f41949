-- include: clock
-- Renews a lease. ARGV 1 c · 2 token · 3 lease (ms). Returns 1, or 0 when the lease is another's by now.
redis.call('DEL', 'wa:none')
if redis.call('HGET', 'wa:lane:' .. ARGV[1], 'token') ~= ARGV[2] then return 0 end
redis.call('ZADD', 'wa:due', 'XX', now + ARGV[3], ARGV[1])
return 1
