-- A worker that stops, or whose process died, no longer holds anything: its conversations are due at once (after
-- several deaths later, see below), and what it was sending has no known outcome (the claim ends now; `reap` does the
-- rest). died: else it stopped, and its deliveries are taken back.
-- Return how much it held.
-- args: consumer died:flag
-- include: allow_when_full clock wake
local held = prefix .. 'held:' .. consumer

-- Whoever was there at two deaths may be innocent and comes again at once; whoever was at more of them waits 1, 2, 4 …
-- 16 s, so that a message that kills its process ends it now and then, not as soon as there is another.
local LONGEST_SUSPENSION = 16000
local function suspension(counters)
  local v = redis.call('HMGET', counters, 'deliveries', 'failures')
  local deaths = tonumber(v[1] or 0) - tonumber(v[2] or 0)
  if deaths < 3 then return 0 end
  return math.min(LONGEST_SUSPENSION, 1000 * 2 ^ (deaths - 3))
end

local all = redis.call('HGETALL', held)
for i = 1, #all, 2 do
  local conversation, token = all[i], all[i + 1]
  local counters = prefix .. 'conv:' .. conversation
  if redis.call('HGET', counters, 'token') == token then
    redis.call('HINCRBY', counters, 'token', 1)
    local wait = 0
    if died then
      wait = suspension(counters)
    else
      redis.call('HINCRBY', counters, 'deliveries', -1)
    end
    redis.call('ZADD', prefix .. 'due', 'XX', now + wait, conversation)
    if wait == 0 then wake(prefix .. 'wake') end
  end
end
local claims_key = prefix .. 'claims:' .. consumer
local claims = redis.call('SMEMBERS', claims_key)
for _, id in ipairs(claims) do redis.call('ZADD', prefix .. 'busy', 'XX', now, id) end
redis.call('ZREM', prefix .. 'workers', consumer)
redis.call('DEL', held, claims_key, prefix .. 'last_take:' .. consumer)
return #all / 2 + #claims
