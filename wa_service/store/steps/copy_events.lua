-- Copy the next `count` entries of the events stream after `after` to the draft. The caller holds the lock.
-- Return the last copied entry's id, or "".
-- args: after count:number
-- include: allow_when_full
local draft = prefix .. 'events_draft'
local entries = redis.call('XRANGE', prefix .. 'events', '(' .. after, '+', 'COUNT', count)
for _, entry in ipairs(entries) do redis.call('XADD', draft, entry[1], unpack(entry[2])) end
redis.call('EXPIRE', draft, 60)
redis.call('EXPIRE', prefix .. 'events_lock', 60)
return #entries > 0 and entries[#entries][1] or ''
