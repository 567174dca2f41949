-- include: clock lifetime bell lane
-- An answer that waits in a lane that others share (a group's) goes with whom it answers: its sender is forgotten.
-- What is being sent still leaves. ARGV 1 id. Returns 1, or 0 when it does not wait.
local v = redis.call('HMGET', 'wa:rec:' .. ARGV[1], 'n', 'c', 'status')
if v[3] ~= 'queued' then return 0 end
drop(v[1], v[2], ARGV[1])
return redis.call('DEL', 'wa:rec:' .. ARGV[1])
