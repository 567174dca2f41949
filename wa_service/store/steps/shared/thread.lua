-- push_thread(conversation, entry, retention): append to a conversation's thread, its last thousand entries: `e` and an
-- id in the events stream, `r` and a record id, or `n` and JSON that says what became of one of these. `recent` has the
-- conversations by their last activity, to the minute.
local MOST_IN_THREAD, MOST_OVER = 1000, 100
local function push_thread(conversation, entry, retention)
  local thread, recent = prefix .. 'thread:' .. conversation, prefix .. 'recent'
  local length = redis.pcall('RPUSH', thread, entry)
  if type(length) == 'table' then -- of a wrong type: a thread only refers to other keys, so it may be deleted
    redis.call('DEL', thread)
    length = redis.call('RPUSH', thread, entry)
  end
  if length > MOST_IN_THREAD + MOST_OVER then redis.call('LTRIM', thread, -MOST_IN_THREAD, -1) end
  refresh_ttl(thread, retention)
  local last = redis.call('ZSCORE', recent, conversation)
  if not last or wall - last >= 60000 then redis.call('ZADD', recent, wall, conversation) end
  refresh_ttl(recent, retention)
end

-- push_note(conversation, note, retention, quiet): append a note, a JSON object, with the time ("" none). quiet: why
-- its automatic replies were not sent, or nil.
local function push_note(conversation, note, retention, quiet)
  if note == '' then return end
  local facts = '"at":' .. string.format('%.0f', wall) .. (quiet and ',"quiet":"' .. quiet .. '"' or '')
  push_thread(conversation, 'n{' .. facts .. ',' .. string.sub(note, 2), retention)
end
