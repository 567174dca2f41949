-- pause_number(number, reason, at_least, id) -> the pause's length (ms), 0 where nothing changed. Backoff: 5 s doubling
-- to 5 min; id: the record whose outcome causes the pause ("" none). A failure of a send that was in flight when the
-- pause began does not count, but a longer time that Meta asks for (at_least) and the reason `account` (a person must
-- act) do.
local function pause_number(number, reason, at_least, id)
  local key = prefix .. 'pause:' .. number
  local v = redis.call('HMGET', key, 'until', 'tries', 'probe', 'reason')
  local left = v[1] and ms_until(v[1]) or 0
  if left > 0 and (id == '' or v[3] ~= id) then
    local graver = reason == 'account' and v[4] ~= reason
    if at_least <= left and not graver then return 0 end
    -- A probe that left before Meta asked for more time cannot end the pause.
    if at_least > left then redis.call('HSET', key, 'until', now + at_least, 'probe', '') end
    if v[4] ~= 'account' then redis.call('HSET', key, 'reason', reason) end
    left = math.max(left, at_least)
    redis.call('PEXPIRE', key, left + CLOCK_AHEAD_MS)
    return left
  end
  local tries = tonumber(v[2] or 0)
  local ms = math.max(at_least, math.min(300000, 5000 * 2 ^ tries))
  redis.call('HSET', key, 'until', now + ms, 'tries', tries + 1, 'reason', reason, 'probe', '')
  redis.call('HSETNX', key, 'since', now)
  redis.call('PEXPIRE', key, ms + CLOCK_AHEAD_MS)
  return ms
end
