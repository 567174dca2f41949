-- Remember what Meta told us of a number or account: limits, which come before the configured ones; the number as
-- customers see it.
-- Return 1.
-- args: number_or_waba facts...
redis.call('HSET', prefix .. 'meta_limits:' .. number_or_waba, unpack(facts))
return 1
