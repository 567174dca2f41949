-- Replace the events stream with the draft, after copying the entries that were appended since, the last id and the
-- ttl, so that readers' cursors stay valid. Entries that were trimmed meanwhile are removed from the draft. lock: the
-- caller's value of the lock.
-- Return 1, or 0 where the copy must begin again.
-- args: lock after
-- include: allow_when_full events_draft
local stream, draft = prefix .. 'events', prefix .. 'events_draft'
if not owns_draft(lock, after) then return 0 end
local ttl = redis.call('PTTL', stream)
if ttl == -2 then
  redis.call('DEL', draft)
  return 1
end
for _, entry in ipairs(redis.call('XRANGE', stream, '(' .. after, '+')) do
  redis.call('XADD', draft, entry[1], unpack(entry[2]))
end
local first = redis.call('XRANGE', stream, '-', '+', 'COUNT', 1)[1]
if first then
  redis.call('XTRIM', draft, 'MINID', first[1])
else
  redis.call('DEL', draft)
  redis.call('XADD', draft, '0-1', 'k', '')
  redis.call('XDEL', draft, '0-1')
end
local info = redis.call('XINFO', 'STREAM', stream)
for i = 1, #info, 2 do
  if info[i] == 'last-generated-id' then redis.call('XSETID', draft, info[i + 1]) end
end
redis.call('RENAME', draft, stream)
redis.call('PERSIST', stream)
if ttl > 0 then redis.call('PEXPIRE', stream, ttl) end
return 1
