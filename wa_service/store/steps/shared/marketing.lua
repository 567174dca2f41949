-- Marketing templates sent to a customer in the last seven days: marketing:<conversation>, by time.
local WEEK_MS = 604800000
local function marketing_key(conversation) return prefix .. 'marketing:' .. conversation end

-- marketing_wait(conversation, most, at, id) -> 0, or ms until one more may go. most: 0 for no limit; at: when it is to
-- go (ms), nil for now; id: a send that was counted already may be retried.
local function marketing_wait(conversation, most, at, id)
  local key = marketing_key(conversation)
  if most <= 0 or (id and redis.call('ZSCORE', key, id)) then return 0 end
  local since = math.max(at or 0, wall) - WEEK_MS
  if redis.call('ZCOUNT', key, '(' .. since, '+inf') < most then return 0 end
  return math.max(1, tonumber(redis.call('ZRANGE', key, -most, -most, 'WITHSCORES')[2]) - since)
end

local function count_marketing(conversation, id)
  local key = marketing_key(conversation)
  redis.call('ZREMRANGEBYSCORE', key, '-inf', wall - WEEK_MS)
  redis.call('ZADD', key, wall, id)
  redis.call('PEXPIRE', key, WEEK_MS)
end
