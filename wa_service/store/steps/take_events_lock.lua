-- Take the lock on the events stream for `seconds`, unless it is held. lock: names the holder.
-- Return 1, or 0 where it is held.
-- args: lock seconds
-- include: allow_when_full
return redis.call('SET', prefix .. 'events_lock', lock, 'NX', 'EX', seconds) and 1 or 0
