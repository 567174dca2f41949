-- wake(list): wakes consumers that wait on it. It only saves waiting: a lost one costs a second, never a message.
local function wake(list)
  if redis.call('LPUSH', list, 1) > 64 then redis.call('LTRIM', list, 0, 63) end
end
