-- wake(list): wake consumers that block on this list. A lost wake-up delays work by a second at most.
local function wake(list)
  if redis.call('LPUSH', list, 1) > 64 then redis.call('LTRIM', list, 0, 63) end
end
