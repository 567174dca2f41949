-- A reader's cursor is ahead of the stream after a failover to a server that lacks the last entries, or whose clock is
-- behind. Let new ids continue after the cursor, so that the reader does not miss the entries.
-- Return 1 where the stream's last id was moved.
-- args: cursor
-- include: allow_when_full clock
local FURTHEST_MS = 600000 -- a cursor further ahead is invalid
local stream = prefix .. 'events'
local function parts(id)
  local ms, seq = string.match(id, '^(%d+)-(%d+)$')
  return tonumber(ms), tonumber(seq)
end
local ms, seq = parts(cursor)
if not ms or ms > wall + FURTHEST_MS or redis.call('EXISTS', stream) == 0 then return 0 end
local info = redis.call('XINFO', 'STREAM', stream)
for i = 1, #info, 2 do
  if info[i] == 'last-generated-id' then
    local last_ms, last_seq = parts(info[i + 1])
    if ms < last_ms or (ms == last_ms and seq <= last_seq) then return 0 end
  end
end
redis.call('XSETID', stream, cursor)
return 1
