-- wall: the server's time (ms), for timestamps that people and Meta see. now: the store's own time (ms), for schedules,
-- leases and rates. Each step reads both once.
--
-- The store's time follows the server's, but never goes back, and advances at most ten seconds between two steps. So a
-- clock adjustment, or a failover to a server with another clock, delays no work and expires no claim, and an outage
-- expires no lease: its holder renews it when the server is back.
local MOST_MS, LOOK_AGAIN_MS = 10000, 100
-- The server ends a key's lifetime by its own clock. So a key with the store's times is kept for as long as this after
-- its last one, and a clock that is set ahead by less forgets no limit.
local CLOCK_AHEAD_MS = 3600000
local clock = redis.call('TIME')
local wall = clock[1] * 1000 + math.floor(clock[2] / 1000)
local now
do
  local key = prefix .. 'clock'
  local v = redis.call('HMGET', key, 'wall', 'ahead') -- the last reading of `wall`; how far `now` is ahead of it
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

-- ms_until(score) -> ms until that time, 0 once it is past.
local function ms_until(score) return math.max(0, tonumber(score) - now) end
