-- Erase a reply to a person that waits in a group's lane. One that is being sent still leaves.
-- Return 1, or 0 when it does not wait.
-- args: id
-- include: allow_when_full clock wake lane
local record = prefix .. 'record:' .. id
local v = redis.call('HMGET', record, 'n', 'c', 'status')
if v[3] ~= 'queued' then return 0 end
drop_from_lane(v[1], v[2], id)
redis.call('ZREM', prefix .. 'sends', id)
redis.call('LREM', prefix .. 'thread:' .. v[2], 0, 'r' .. id)
return redis.call('DEL', record)
