-- wall: the server's time (ms), for what people and Meta see. now: the store's own time (ms), for whatever waits, is
-- held or is counted. Every step reads both once, so that all of a step happens at one instant.
--
-- The store's time goes on as the server's does, but never back, and never further than ten seconds between two steps:
-- a clock that is set, and a failover to a server whose clock is another, hide nothing that waits and end no claim. While
-- the server is away it stands still, so that an outage ends no lease: whoever holds one renews it when the server is back.
local MOST_MS, LOOK_AGAIN_MS = 10000, 100
local clock = redis.call('TIME')
local wall = clock[1] * 1000 + math.floor(clock[2] / 1000)
local now
do
  local key = prefix .. 'clock'
  local v = redis.call('HMGET', key, 'wall', 'ahead') -- when somebody last looked; how far `now` is ahead of it
  local ahead = tonumber(v[2] or 0)
  local passed = wall - tonumber(v[1] or wall)
  if passed < 0 then
    ahead = ahead - passed
  elseif passed > MOST_MS then
    ahead = ahead - passed + MOST_MS
  end
  now = wall + ahead
  if not v[1] or passed < 0 or passed >= LOOK_AGAIN_MS then redis.call('HSET', key, 'wall', wall, 'ahead', ahead) end
end

-- ms_until(score) -> ms until a time to come, 0 once it has come.
local function ms_until(score) return math.max(0, tonumber(score) - now) end
