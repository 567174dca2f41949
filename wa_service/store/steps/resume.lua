-- End a number's pause by hand.
-- Return 1 when there was one.
-- args: number
-- include: wake
local was = redis.call('DEL', prefix .. 'pause:' .. number)
wake(prefix .. 'wake_out:' .. number)
return was
