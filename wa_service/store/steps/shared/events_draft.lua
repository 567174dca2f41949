-- owns_draft(lock, after) -> whether the caller still holds the lock on the events stream, and the draft ends at
-- `after` ("0-0": it is empty). Both expire if the caller is suspended; a failover may lose the draft's last entries.
local function owns_draft(lock, after)
  if redis.call('GET', prefix .. 'events_lock') ~= lock then return false end
  local last = redis.call('XREVRANGE', prefix .. 'events_draft', '+', '-', 'COUNT', 1)[1]
  return (last and last[1] or '0-0') == after
end
