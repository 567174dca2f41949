-- put(spec, c): a record enters its lane. spec: n, id, type, priority, ttl (ms), body (JSON text), and optionally
-- opaque, fallback, fallback_id, answer_to, idem, origin, place (in the daily reach).
local function put(spec, c)
  local urgent = spec.priority ~= 'bulk'
  local fields = { 'v', 1, 'n', spec.n, 'c', c, 'type', spec.type, 'body', spec.body, 'status', 'queued', 'rank', 0,
    's:queued', now, 'expires', now + spec.ttl, 'urgent', urgent and 1 or 0 }
  for _, name in ipairs({ 'opaque', 'fallback', 'fallback_id', 'answer_to', 'idem', 'origin', 'place' }) do
    if spec[name] then
      fields[#fields + 1] = name
      fields[#fields + 1] = spec[name]
    end
  end
  redis.call('HSET', 'wa:rec:' .. spec.id, unpack(fields))
  enter(spec.n, c, spec.id, urgent, false)
end
