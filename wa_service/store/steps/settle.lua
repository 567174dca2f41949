-- What becomes of a send with no known outcome when no status ever named it: once three messages that the same number
-- had accepted after it have had a status, Meta's silence means no. If a webhook of ours was refused since (or a web
-- process started), silence proves less: twelve times as long. resend: send once more what is no template and may still
-- wait.
-- Return {id, verdict, ...}.
-- args: settle_ms:number retention:number resend:flag
-- include: allow_when_full clock lifetime wake events lane record
local verdicts, unknown = {}, prefix .. 'unknown'
local rejected_at = tonumber(redis.call('GET', prefix .. 'webhook_rejected_at') or 0)
local function confirmed_after(number, since)
  local count = 0
  for _, accepted in ipairs(redis.call('LRANGE', prefix .. 'confirmed:' .. number, 0, -1)) do
    if tonumber(accepted) > since then count = count + 1 end
  end
  return count
end
for _, id in ipairs(redis.call('ZRANGEBYSCORE', unknown, '-inf', now, 'LIMIT', 0, 100)) do
  local record = record_key(id)
  local v = redis.call('HMGET', record, 'n', 'c', 'claimed', 'type', 'resent', 'body', 'expires')
  local number, conversation, since = v[1], v[2], tonumber(v[3] or 0)
  if not number then
    redis.call('ZREM', unknown, id)
  elseif rejected_at > since and rejected_at <= now and now < since + 12 * settle_ms then
    redis.call('ZADD', unknown, since + 12 * settle_ms, id)
  elseif confirmed_after(number, since) < 3 then
    redis.call('ZADD', unknown, now + math.min(5000, settle_ms), id)
  elseif resend and v[4] ~= 'template' and not v[5] and v[6] and tonumber(v[7] or 0) > now then
    redis.call('ZREM', unknown, id)
    redis.call('HSET', record, 'resent', now, 'status', 'queued', 'rank', 0)
    enter_lane(number, conversation, id, false, false)
    verdicts[#verdicts + 1] = id
    verdicts[#verdicts + 1] = 'resent'
  else
    redis.call('ZREM', unknown, id)
    fail_record(id, conversation,
      '{"reason":"no_word_from_meta","title":"Meta neither confirmed nor refused it."}', retention)
    verdicts[#verdicts + 1] = id
    verdicts[#verdicts + 1] = 'failed'
  end
end
return verdicts
