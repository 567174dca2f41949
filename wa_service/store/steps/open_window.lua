-- Open the service window of a customer who called. who: see `resolve` · at: Meta's time of the call (s, 0 unknown).
-- Return 1.
-- args: number who:json at:number retention:number
-- include: allow_when_full clock lifetime wake consent identity
local contact = contact_key(resolve(number, who, retention))
local began = at > 0 and math.min(at * 1000, wall) or wall
local window = math.max(tonumber(redis.call('HGET', contact, 'window_end') or 0), began + 86400000)
redis.call('HSET', contact, 'n', number, 'window_end', window)
return 1
