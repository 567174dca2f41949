-- The mailbox of a conversation: events by Meta's second, then order. Whoever works on an event that is taken out or
-- replaced has lost it, and the next one is due.
local function head_has_changed(conversation)
  local counters = prefix .. 'conv:' .. conversation
  redis.call('HDEL', counters, 'head', 'deliveries', 'failures')
  redis.call('HINCRBY', counters, 'token', 1)
  refresh_ttl(counters, CONVERSATION_SECONDS)
  if redis.call('EXISTS', prefix .. 'mailbox:' .. conversation) == 1 then
    redis.call('ZADD', prefix .. 'due', now, conversation)
    wake(prefix .. 'wake')
  else
    redis.call('ZREM', prefix .. 'due', conversation)
  end
end

-- take_out(conversation, event, other) -> whether it was there; `other` takes its place, "" nothing does.
local function take_out(conversation, event, other)
  local mailbox = prefix .. 'mailbox:' .. conversation
  local place = redis.call('ZSCORE', mailbox, event)
  if not place then return false end
  local was_head = redis.call('ZRANGE', mailbox, 0, 0)[1] == event
  redis.call('ZREM', mailbox, event)
  if other ~= '' then redis.call('ZADD', mailbox, place, other) end
  if was_head then head_has_changed(conversation) end
  return true
end

-- waiting_event(conversation, id) -> the event of the message with this id (JSON text), if it waits.
local function waiting_event(conversation, id)
  local wanted = '"i":' .. id .. ','
  for _, event in ipairs(redis.call('ZRANGE', prefix .. 'mailbox:' .. conversation, 0, -1)) do
    if string.find(event, wanted, 1, true) then return event end
  end
end
