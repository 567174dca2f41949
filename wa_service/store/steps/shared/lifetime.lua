-- refresh_ttl(key, seconds): the key lives so long from now on. One that was refreshed a moment ago (within a hundredth
-- of its life, at most an hour) stays as it is: looking costs a third of writing it to the append-only file.
local function is_fresh(key, seconds)
  return redis.call('TTL', key) > seconds - math.min(3600, seconds / 100)
end

local function refresh_ttl(key, seconds)
  if not is_fresh(key, seconds) then redis.call('EXPIRE', key, seconds) end
end

-- Mailbox counters and lane markers outlive the mark of a message, which tells duplicates for 8 days.
local CONVERSATION_SECONDS = 691200
