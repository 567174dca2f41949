-- Store what Meta says of a number or account: limits, which override the configured ones, and the displayed number.
-- at: when (s, 0 unknown); what is older than what is stored changes nothing, as webhooks may come late.
-- Return 1, or 0 where it is older.
-- args: number_or_waba at:number facts...
-- include: clock
local key = prefix .. 'meta_limits:' .. number_or_waba
if at > 0 then
  at = math.min(at, math.floor(wall / 1000)) -- one in the future must not outlast those that follow
  if tonumber(redis.call('HGET', key, 'limits_at') or 0) > at then return 0 end
  redis.call('HSET', key, 'limits_at', at)
end
redis.call('HSET', key, unpack(facts))
return 1
