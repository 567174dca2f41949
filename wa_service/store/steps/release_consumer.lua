-- Release the leases and claims of a worker that stopped or died. Its conversations are due at once (later after
-- several deaths, see below). Its claims end now and `reap` makes the sends unknown, except sends that are known not to
-- have begun, which are queued again. died: whether it died; else its deliveries are not counted · begun: "<record
-- id>:<token>" of sends that may have left.
-- Return how many leases and claims it had.
-- args: consumer died:flag begun_is_known:flag begun...
-- include: allow_when_full clock wake identity lane record pair
local leases = prefix .. 'leases:' .. consumer

-- A conversation may have been held at two deaths by chance, and is due at once. From the third on it waits 1, 2, 4 …
-- 16 s, so that a message that kills its process does not kill one after the other.
local LONGEST_SUSPENSION = 16000
local function suspension(counters)
  local v = redis.call('HMGET', counters, 'deliveries', 'failures')
  local deaths = tonumber(v[1] or 0) - tonumber(v[2] or 0)
  if deaths < 3 then return 0 end
  return math.min(LONGEST_SUSPENSION, 1000 * 2 ^ (deaths - 3))
end

local all = redis.call('HGETALL', leases)
for i = 1, #all, 2 do
  local conversation, token = all[i], all[i + 1]
  local counters = prefix .. 'conv:' .. conversation
  if redis.pcall('HGET', counters, 'token') == token then
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
local may_have_left = {}
for _, name in ipairs(begun) do may_have_left[name] = true end

-- Undo a grant of which nothing was sent.
local function take_grant_back(id, number, conversation, token)
  redis.call('ZREM', prefix .. 'busy', id)
  redis.call('ZREM', prefix .. 'rate:' .. number, id .. ':' .. token)
  redis.call('HSET', record_key(id), 'status', 'queued', 'rank', 0)
  readdress_again(id, conversation)
  pair_refund(conversation)
  local pause_key = prefix .. 'pause:' .. number
  if redis.call('HGET', pause_key, 'probe') == id then redis.call('HSET', pause_key, 'until', now, 'probe', '') end
  if redis.call('EXISTS', prefix .. 'lane:' .. conversation) == 1 then offer(number, conversation, now) end
end

for _, id in ipairs(claims) do
  local v = redis.call('HMGET', record_key(id), 'n', 'c', 'token')
  local is_held = v[1] and redis.call('ZSCORE', prefix .. 'busy', id)
  if is_held and begun_is_known and not may_have_left[id .. ':' .. v[3]] and rank(id) < RANK.accepted then
    take_grant_back(id, v[1], v[2], v[3])
  else
    redis.call('ZADD', prefix .. 'busy', 'XX', now, id)
  end
end
redis.call('ZREM', prefix .. 'workers', consumer)
redis.call('DEL', leases, claims_key, prefix .. 'last_take:' .. consumer)
return #all / 2 + #claims
