-- release(c, puller): the conversation's work ended: its next message is due now, or it waits for one.
local function release(c, puller)
  redis.call('HDEL', 'wa:held:' .. puller, c)
  redis.call('HDEL', 'wa:lane:' .. c, 'head', 'takes', 'fails')
  renew('wa:lane:' .. c, 691200)
  if redis.call('EXISTS', 'wa:box:' .. c) == 1 then
    redis.call('ZADD', 'wa:due', now, c)
    ring('wa:bell')
  else
    redis.call('ZREM', 'wa:due', c)
  end
end
