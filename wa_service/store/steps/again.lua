-- include: clock bell
-- The work failed, or cannot be done now: the conversation is due again later.
-- ARGV 1 c · 2 token · 3 delay (ms) · 4 puller · 5 what it counts as: "fail", or "nothing" (a try is given back)
-- Returns the failures so far, or -1 when the lease is another's.
local lane = 'wa:lane:' .. ARGV[1]
redis.call('DEL', 'wa:none')
if redis.call('HGET', lane, 'token') ~= ARGV[2] then return -1 end
redis.call('HDEL', 'wa:held:' .. ARGV[4], ARGV[1])
redis.call('HINCRBY', lane, 'token', 1) -- whoever still works on it has lost it
if ARGV[5] == 'fail' then
  redis.call('HINCRBY', lane, 'fails', 1)
else
  redis.call('HINCRBY', lane, 'takes', -1)
end
redis.call('ZADD', 'wa:due', 'XX', now + ARGV[3], ARGV[1])
if tonumber(ARGV[3]) == 0 then ring('wa:bell') end
return tonumber(redis.call('HGET', lane, 'fails') or 0)
