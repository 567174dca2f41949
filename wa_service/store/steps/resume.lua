-- End a number's pause.
-- Return 1, or 0 where there was none.
-- args: number
-- include: wake
local was = redis.call('DEL', prefix .. 'pause:' .. number)
wake(prefix .. 'wake_out:' .. number)
return was
