-- Limits that Meta told us: they come before the configured ones. ARGV 1 n or WABA · 2.. field, value
redis.call('HSET', 'wa:said:' .. ARGV[1], unpack(ARGV, 2))
return 1
