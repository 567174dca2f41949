-- Renew the lock on the events stream for `seconds`, or release it (0), if the caller still holds it.
-- args: lock seconds
-- include: allow_when_full
local key = prefix .. 'events_lock'
if redis.call('GET', key) == lock then redis.call('EXPIRE', key, seconds) end
