-- append_event(kind, conversation, json, retention): append to the events stream and trim it by age: roughly here
-- (whole nodes), exactly in `trim`. The stream expires when nothing was appended for the retention.
local function append_event(kind, conversation, json, retention)
  local stream = prefix .. 'events'
  local id = redis.call('XADD', stream, 'MINID', '~', wall - retention * 1000, '*', 'k', kind, 'c', conversation, 'd', json)
  refresh_ttl(stream, retention)
  -- The outcome of a send is in its record; another system's sends are not in the thread.
  local is_outcome = kind == 'send' or kind == 'status' or kind == 'foreign_status'
  if conversation ~= '' and not is_outcome then push_thread(conversation, 'e' .. id, retention) end
  return id
end
