-- release_conversation(conversation, consumer): its work ended: its next message is due now, or it waits for one. Without
-- a `head` nobody holds it, so what comes late in the name of this lease (a renewal, a repeat) finds it ended.
local function release_conversation(conversation, consumer)
  local counters = prefix .. 'conv:' .. conversation
  redis.call('HDEL', prefix .. 'held:' .. consumer, conversation)
  redis.call('HDEL', counters, 'head', 'deliveries', 'failures', 'burst')
  refresh_ttl(counters, CONVERSATION_SECONDS)
  if redis.call('EXISTS', prefix .. 'mailbox:' .. conversation) == 1 then
    -- What came meanwhile may be a burst that waits for more.
    local burst_due = tonumber(redis.call('HGET', counters, 'burst_due') or 0)
    redis.call('ZADD', prefix .. 'due', math.max(now, burst_due), conversation)
    wake(prefix .. 'wake')
  else
    redis.call('ZREM', prefix .. 'due', conversation)
  end
end
