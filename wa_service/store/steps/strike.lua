-- include: clock lifetime bell
-- An event is struck out of a mailbox that others share (a group's): its sender is forgotten. Whoever works on it has
-- lost it, and the next one is due.
-- ARGV 1 c · 2 event. Returns 1, or 0 when it is not there.
local box, lane = 'wa:box:' .. ARGV[1], 'wa:lane:' .. ARGV[1]
local head = redis.call('ZRANGE', box, 0, 0)[1]
if redis.call('ZREM', box, ARGV[2]) == 0 then return 0 end
if head ~= ARGV[2] then return 1 end
redis.call('HDEL', lane, 'head', 'takes', 'fails')
redis.call('HINCRBY', lane, 'token', 1)
renew(lane, 691200)
if redis.call('EXISTS', box) == 1 then
  redis.call('ZADD', 'wa:due', now, ARGV[1])
  ring('wa:bell')
else
  redis.call('ZREM', 'wa:due', ARGV[1])
end
return 1
