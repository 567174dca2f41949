-- Store what Meta says of a number or account: limits, which override the configured ones, and the displayed number.
-- Return 1.
-- args: number_or_waba facts...
redis.call('HSET', prefix .. 'meta_limits:' .. number_or_waba, unpack(facts))
return 1
