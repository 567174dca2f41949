-- Open the service window of a customer who called. who: see `resolve` · at: Meta's time of the call (s, 0 unknown) ·
-- mark: of the call's event.
-- Return 1, or 0 where the event is known or the window is over.
-- args: number who:json at:number mark retention:number mark_seconds
-- include: refuse_when_full clock lifetime wake consent identity
local began = at > 0 and math.min(at * 1000, wall) or wall
if began + 86400000 <= wall then return 0 end
if not redis.call('SET', prefix .. 'seen:' .. mark, '', 'NX', 'EX', mark_seconds) then return 0 end
local contact = contact_key(resolve(number, who, retention))
local window = math.max(tonumber(redis.call('HGET', contact, 'window_end') or 0), began + 86400000)
redis.call('HSET', contact, 'n', number, 'window_end', window)
return 1
