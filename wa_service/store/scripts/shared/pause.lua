-- hold(n, reason, at_least, probe): pauses a number, each time in a row for longer (5 s doubling to 5 min).
-- Failures of sends that were under way when it was paused change nothing.
local function hold(n, reason, at_least, id)
  local p = 'wa:pause:' .. n
  local v = redis.call('HMGET', p, 'until', 'tries', 'probe')
  if v[1] and ahead(v[1]) > 0 and (id == '' or v[3] ~= id) then return 0 end
  local tries = tonumber(v[2] or 0)
  local ms = math.max(at_least, math.min(300000, 5000 * 2 ^ tries))
  redis.call('HSET', p, 'until', now + ms, 'tries', tries + 1, 'reason', reason, 'probe', '')
  redis.call('HSETNX', p, 'since', now)
  redis.call('PEXPIRE', p, ms + 3600000)
  return ms
end
