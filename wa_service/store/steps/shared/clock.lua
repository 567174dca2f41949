-- now: the server's time in ms. Every step reads it once, so that all of a step happens at one instant.
local clock = redis.call('TIME')
local now = clock[1] * 1000 + math.floor(clock[2] / 1000)

-- ms_until(score) -> ms until a time to come, 0 once it has come. One that lies further ahead than any pause of ours was
-- written before the clock was turned back (a failover can do that): it has come. The longest pause is an hour, the
-- most that anybody may ask us to wait.
local LONGEST_PAUSE = 3600000
local function ms_until(score)
  local ms = tonumber(score) - now
  if ms <= 0 or ms > LONGEST_PAUSE then return 0 end
  return ms
end
