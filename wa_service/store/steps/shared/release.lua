-- release_conversation(conversation, consumer): end the work on a conversation; its next message is due, if there is
-- one. Without a `head` no lease is valid, so a late renewal or repeat changes nothing.
local function release_conversation(conversation, consumer)
  local counters = prefix .. 'conv:' .. conversation
  redis.call('HDEL', prefix .. 'leases:' .. consumer, conversation)
  redis.call('HDEL', counters, 'head', 'deliveries', 'failures', 'burst')
  refresh_ttl(counters, CONVERSATION_SECONDS)
  if redis.call('EXISTS', prefix .. 'mailbox:' .. conversation) == 1 then
    -- A burst that arrived meanwhile may still wait for more.
    local burst_due = tonumber(redis.call('HGET', counters, 'burst_due') or 0)
    redis.call('ZADD', prefix .. 'due', math.max(now, burst_due), conversation)
    wake(prefix .. 'wake')
  else
    redis.call('ZREM', prefix .. 'due', conversation)
  end
end
