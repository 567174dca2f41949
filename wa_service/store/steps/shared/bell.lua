-- ring(list): wakes pullers. Only saves waiting; a lost ring costs a second, never a message.
local function ring(list)
  if redis.call('LPUSH', list, 1) > 64 then redis.call('LTRIM', list, 0, 63) end
end
