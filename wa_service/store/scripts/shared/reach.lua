-- reserve(waba, c, limit) -> 0 when the customer may be opened by template, else ms until one may. A customer
-- whose service window is open, or who was opened in the last 24 h, is free.
local DAY_MS = 86400000
local function reserve(waba, c, limit)
  local window = tonumber(redis.call('HGET', 'wa:contact:' .. c, 'window_end') or 0)
  if window > now then return 0 end
  local said = redis.call('HGET', 'wa:said:' .. waba, 'daily_limit')
  limit = tonumber(said or limit)
  local set = 'wa:reach:' .. waba
  redis.call('ZREMRANGEBYSCORE', set, '-inf', now - DAY_MS)
  if redis.call('ZSCORE', set, c) then return 0 end
  if limit > 0 and redis.call('ZCARD', set) >= limit then
    local oldest = redis.call('ZRANGE', set, 0, 0, 'WITHSCORES')
    return math.max(1, tonumber(oldest[2]) + DAY_MS - now + 1)
  end
  redis.call('ZADD', set, now, c)
  redis.call('PEXPIRE', set, DAY_MS)
  return 0
end
