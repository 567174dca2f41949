-- now: the server's time in ms. Every step reads it once, so that all of a step happens at one instant.
local clock = redis.call('TIME')
local now = clock[1] * 1000 + math.floor(clock[2] / 1000)

-- A time to come that lies further ahead than any of our pauses was written before the clock was turned back (a
-- failover can do that): it has come. The longest is an hour, the most that anybody may ask us to wait.
local LONGEST_PAUSE = 3600000
local function ahead(score)
  local ms = tonumber(score) - now
  if ms <= 0 or ms > LONGEST_PAUSE then return 0 end
  return ms
end
