-- What Meta told us of a number or account: limits, which come before the configured ones; as which number customers
-- see it. ARGV 1 n or WABA · 2.. field, value
redis.call('HSET', 'wa:said:' .. ARGV[1], unpack(ARGV, 2))
return 1
