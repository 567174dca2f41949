-- append_event(kind, conversation, json, retention): appends to the events stream, which forgets by age: roughly here
-- (whole nodes), exactly in `trim`, and as a whole once nothing was appended for so long.
local function append_event(kind, conversation, json, retention)
  local stream = prefix .. 'events'
  local id = redis.call('XADD', stream, 'MINID', '~', wall - retention * 1000, '*', 'k', kind, 'c', conversation, 'd', json)
  refresh_ttl(stream, retention)
  -- What became of a send stands in its record.
  if conversation ~= '' and kind ~= 'send' and kind ~= 'status' then push_thread(conversation, 'e' .. id, retention) end
  return id
end
