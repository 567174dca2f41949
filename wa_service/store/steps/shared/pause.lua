-- pause_number(number, reason, at_least, id): pauses a number, each time in a row for longer (5 s doubling to 5 min); id:
-- the record that showed why ("" none). Sends that were under way when it was paused show nothing new by failing too,
-- but what Meta says in answer to them holds: the time it asks for (at_least), and that a person must act (reason
-- account). Returns the pause's length (ms), 0 when nothing changed.
local function pause_number(number, reason, at_least, id)
  local key = prefix .. 'pause:' .. number
  local v = redis.call('HMGET', key, 'until', 'tries', 'probe', 'reason')
  local left = v[1] and ms_until(v[1]) or 0
  if left > 0 and (id == '' or v[3] ~= id) then
    local graver = reason == 'account' and v[4] ~= reason
    if at_least <= left and not graver then return 0 end
    -- A probe that left before Meta asked for more time cannot lift that.
    if at_least > left then redis.call('HSET', key, 'until', now + at_least, 'probe', '') end
    if v[4] ~= 'account' then redis.call('HSET', key, 'reason', reason) end
    left = math.max(left, at_least)
    redis.call('PEXPIRE', key, left + 3600000)
    return left
  end
  local tries = tonumber(v[2] or 0)
  local ms = math.max(at_least, math.min(300000, 5000 * 2 ^ tries))
  redis.call('HSET', key, 'until', now + ms, 'tries', tries + 1, 'reason', reason, 'probe', '')
  redis.call('HSETNX', key, 'since', now)
  redis.call('PEXPIRE', key, ms + 3600000)
  return ms
end
