-- enqueue(send, conversation): a record enters its lane. send: id, n (number), type, priority, ttl (ms), body (JSON text),
-- and optionally to, opaque, tag, fallback, fallback_id, notify, idempotency, origin, reservation (in the template
-- quota).
local function enqueue(send, conversation)
  local urgent = send.priority ~= 'bulk'
  local fields = { 'v', 1, 'n', send.n, 'c', conversation, 'type', send.type, 'body', send.body, 'status', 'queued',
    'rank', 0, 's:queued', wall, 'expires', wall + send.ttl, 'urgent', urgent and 1 or 0 }
  local optional = { 'to', 'opaque', 'tag', 'fallback', 'fallback_id', 'notify', 'idempotency', 'origin',
    'reservation' }
  for _, name in ipairs(optional) do
    if send[name] then
      fields[#fields + 1] = name
      fields[#fields + 1] = send[name]
    end
  end
  redis.call('HSET', prefix .. 'record:' .. send.id, unpack(fields))
  redis.call('ZADD', prefix .. 'sends', wall, send.id)
  enter_lane(send.n, conversation, send.id, urgent, false)
end
