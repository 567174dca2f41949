-- Decide unknown sends that got no status. Such a send has failed once three messages that the same number sent after
-- it have a status, or after a day. If a webhook was answered 5xx since (or a web process started), a status may have
-- been missed: wait twelve times as long. resend: send messages other than templates once more, if they have not
-- expired.
-- Return {id, verdict, ...}.
-- args: settle_ms:number retention:number resend:flag
-- include: allow_when_full clock lifetime wake thread events identity lane batch record
local LONGEST_UNKNOWN_MS = 86400000
local verdicts, unknown = {}, prefix .. 'unknown'
local rejected_at = tonumber(redis.call('GET', prefix .. 'webhook_rejected_at') or 0)
-- Claim times of the sends that have a status, by number.
local confirmed = {}
local function confirmed_after(number, since)
  confirmed[number] = confirmed[number] or redis.call('LRANGE', prefix .. 'confirmed:' .. number, 0, -1)
  local count = 0
  for _, claimed in ipairs(confirmed[number]) do
    if tonumber(claimed) > since then count = count + 1 end
    if count == 3 then break end
  end
  return count
end
for _, id in ipairs(redis.call('ZRANGEBYSCORE', unknown, '-inf', now, 'LIMIT', 0, 100)) do
  local record = record_key(id)
  local v = redis.call('HMGET', record, 'n', 'c', 'claimed', 'type', 'resent', 'body', 'expires', 'category')
  local number, conversation, since = v[1], v[2], tonumber(v[3] or 0)
  if not number then
    redis.call('ZREM', unknown, id)
  elseif rejected_at > since and now < since + 12 * settle_ms then
    redis.call('ZADD', unknown, since + 12 * settle_ms, id)
  elseif now < since + LONGEST_UNKNOWN_MS and confirmed_after(number, since) < 3 then
    -- Look at older ones less often: on a quiet number there may be many.
    redis.call('ZADD', unknown, now + math.max(math.min(5000, settle_ms), (now - since) / 20), id)
  elseif resend and now < since + LONGEST_UNKNOWN_MS and v[4] ~= 'template' and not v[8] and not v[5] and v[6] and tonumber(v[7] or 0) > wall then
    redis.call('ZREM', unknown, id)
    redis.call('HSET', record, 'resent', now, 'status', 'queued', 'rank', 0)
    readdress_again(id, conversation)
    enter_lane(number, conversation, id, false, false)
    count_in_batch(id)
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
