-- ring(list): wakes pullers. Only saves waiting; a lost ring costs a second, never a message.
local function ring(list)
  redis.call('LPUSH', list, 1)
  redis.call('LTRIM', list, 0, 63)
end
