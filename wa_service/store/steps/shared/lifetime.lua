-- refresh_ttl(key, seconds): expire the key in `seconds`. One that was refreshed within the last hundredth of its ttl,
-- at most an hour, is left as it is: a TTL costs a third of an EXPIRE that is written to the append-only file.
local function is_fresh(key, seconds)
  return redis.call('TTL', key) > seconds - math.min(3600, seconds / 100)
end

local function refresh_ttl(key, seconds)
  if not is_fresh(key, seconds) then redis.call('EXPIRE', key, seconds) end
end

-- Mailbox counters and lane markers outlive a message's mark, which detects duplicates for 8 days.
local CONVERSATION_SECONDS = 691200
