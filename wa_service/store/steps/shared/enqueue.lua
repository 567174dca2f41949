-- write_record(send, conversation, status, retention): store a send. Its ttl begins at `send_at`, if that is ahead.
-- send: id, n (number), type, priority, ttl (ms), body (JSON text), and optionally to, opaque, tag, fallback,
-- fallback_id, notify, idempotency, origin, reservation (in the template quota), send_at (ms), who (JSON), take,
-- template and fallback_name ("<name> <language>"), despite_stop, category, batch with batch_index and counted,
-- caller (the API key's name: its unsent bytes are bounded), forgotten (delete the content once it has ended).
local MOST_UNSENT_BYTES = 67108864
local function has_room_for(send)
  local bytes = send.caller and tonumber(redis.call('HGET', prefix .. 'unsent_bytes', send.caller) or 0) or 0
  return bytes + #send.body <= MOST_UNSENT_BYTES
end

local function write_record(send, conversation, status, retention)
  local fields = { 'v', 1, 'n', send.n, 'c', conversation, 'type', send.type, 'body', send.body, 'status', status,
    'rank', status == 'scheduled' and -1 or 0, 's:' .. status, wall,
    'expires', math.max(send.send_at or wall, wall) + send.ttl, 'urgent', send.priority ~= 'bulk' and 1 or 0 }
  local optional = { 'to', 'opaque', 'tag', 'fallback', 'fallback_id', 'notify', 'idempotency', 'origin',
    'reservation', 'send_at', 'who', 'take', 'template', 'fallback_name', 'despite_stop', 'category',
    'batch', 'batch_index', 'counted', 'forgotten' }
  for _, name in ipairs(optional) do
    if send[name] then
      fields[#fields + 1] = name
      fields[#fields + 1] = send[name]
    end
  end
  if send.caller then
    redis.call('HINCRBY', prefix .. 'unsent_bytes', send.caller, #send.body)
    for _, fact in ipairs({ 'caller', send.caller, 'unsent', #send.body }) do fields[#fields + 1] = fact end
  end
  redis.call('HSET', prefix .. 'record:' .. send.id, unpack(fields))
  redis.call('ZADD', prefix .. 'sends', wall, send.id)
  if send.tag then note_tag(send.tag, send.id, retention) end
end

-- enqueue(send, conversation, retention): store a send and add it to its lane.
local function enqueue(send, conversation, retention)
  write_record(send, conversation, 'queued', retention)
  push_thread(conversation, 'r' .. send.id, retention)
  enter_lane(send.n, conversation, send.id, send.priority ~= 'bulk', false)
end
