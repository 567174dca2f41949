-- Copy the next `count` entries of the events stream after `after` to the draft; "0-0" begins a new draft. lock: the
-- caller's value of the lock.
-- Return the last copied entry's id, "" where there are no more, or 0 where the copy must begin again.
-- args: lock after count:number
-- include: allow_when_full events_draft
local draft = prefix .. 'events_draft'
if after == '0-0' and redis.call('GET', prefix .. 'events_lock') == lock then redis.call('DEL', draft) end
if not owns_draft(lock, after) then return 0 end
local entries = redis.call('XRANGE', prefix .. 'events', '(' .. after, '+', 'COUNT', count)
for _, entry in ipairs(entries) do redis.call('XADD', draft, entry[1], unpack(entry[2])) end
redis.call('EXPIRE', draft, 60)
redis.call('EXPIRE', prefix .. 'events_lock', 60)
return #entries > 0 and entries[#entries][1] or ''
