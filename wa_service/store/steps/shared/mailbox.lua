-- The mailbox of a conversation: events by Meta's second, then by arrival. When an event that is being handled is
-- removed or replaced, its lease ends and the next event is due.
local function head_has_changed(conversation)
  local counters = prefix .. 'conv:' .. conversation
  redis.call('HDEL', counters, 'head', 'deliveries', 'failures', 'burst')
  redis.call('HINCRBY', counters, 'token', 1)
  refresh_ttl(counters, CONVERSATION_SECONDS)
  if redis.call('EXISTS', prefix .. 'mailbox:' .. conversation) == 1 then
    local burst_due = tonumber(redis.call('HGET', counters, 'burst_due') or 0)
    redis.call('ZADD', prefix .. 'due', math.max(now, burst_due), conversation)
    wake(prefix .. 'wake')
  else
    redis.call('ZREM', prefix .. 'due', conversation)
  end
end

-- take_out(conversation, event, other) -> whether the event was there; `other` replaces it ("" nothing does).
local function take_out(conversation, event, other)
  local mailbox = prefix .. 'mailbox:' .. conversation
  local place = redis.call('ZSCORE', mailbox, event)
  if not place then return false end
  local was_taken = redis.call('ZRANGE', mailbox, 0, 0)[1] == event
  local burst = redis.call('HGET', prefix .. 'conv:' .. conversation, 'burst')
  if burst and string.find(burst, redis.sha1hex(event), 1, true) then was_taken = true end
  redis.call('ZREM', mailbox, event)
  if other ~= '' then redis.call('ZADD', mailbox, place, other) end
  if was_taken then head_has_changed(conversation) end
  return true
end

-- waiting_events(conversation, id) -> the events of the message with this id (JSON text): several where its content
-- came after it.
local function waiting_events(conversation, id)
  local wanted, found = '"i":' .. id .. ',', {}
  for _, event in ipairs(redis.call('ZRANGE', prefix .. 'mailbox:' .. conversation, 0, -1)) do
    if string.find(event, wanted, 1, true) then found[#found + 1] = event end
  end
  return found
end

-- The last field of a waiting event that was edited: the ids of its edits in the stream.
local function edits_of(event) return string.match(event, ',"c":"([%d%- ]+)"}$') or '' end

local function add_edit(event, earlier, place)
  return string.sub(event, 1, -2) .. ',"c":"' .. (earlier == '' and place or earlier .. ' ' .. place) .. '"}'
end
