-- include: clock bell
-- A worker that stops, or whose process died, no longer holds anything: its conversations are due at once (after
-- several deaths later, see below), and what it was sending has no known outcome (the claim ends now; `reap` does the
-- rest).
-- ARGV 1 puller · 2 "stopped" (its takes are given back) or "died". Returns how much it held.
redis.call('DEL', 'wa:none')
local held = 'wa:held:' .. ARGV[1]

-- Whoever was there at two deaths may be innocent and comes again at once; whoever was at more of them waits 1, 2, 4 …
-- 16 s, so that a message that kills its process ends it now and then, not as soon as there is another.
local LONGEST_SUSPENSION = 16000
local function suspension(lane)
  local v = redis.call('HMGET', lane, 'takes', 'fails')
  local deaths = tonumber(v[1] or 0) - tonumber(v[2] or 0)
  if deaths < 3 then return 0 end
  return math.min(LONGEST_SUSPENSION, 1000 * 2 ^ (deaths - 3))
end

local all = redis.call('HGETALL', held)
for i = 1, #all, 2 do
  local c, token = all[i], all[i + 1]
  local lane = 'wa:lane:' .. c
  if redis.call('HGET', lane, 'token') == token then
    redis.call('HINCRBY', lane, 'token', 1)
    local wait = 0
    if ARGV[2] == 'stopped' then
      redis.call('HINCRBY', lane, 'takes', -1)
    else
      wait = suspension(lane)
    end
    redis.call('ZADD', 'wa:due', 'XX', now + wait, c)
    if wait == 0 then ring('wa:bell') end
  end
end
local claims = redis.call('SMEMBERS', 'wa:claims:' .. ARGV[1])
for _, id in ipairs(claims) do redis.call('ZADD', 'wa:busy', 'XX', now, id) end
redis.call('ZREM', 'wa:alive', ARGV[1])
redis.call('DEL', held, 'wa:claims:' .. ARGV[1], 'wa:took:' .. ARGV[1])
return #all / 2 + #claims
