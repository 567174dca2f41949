-- Store whom an erasure is about, before it deletes how their addresses belong together: if it is interrupted, the next
-- one continues it. erasure: its name · person: JSON.
-- args: erasure person seconds
-- include: allow_when_full
local erasures = prefix .. 'erasures'
redis.call('HSET', erasures, erasure, person)
redis.call('EXPIRE', erasures, seconds)
