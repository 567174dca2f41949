-- Write the outcome of a send. "accepted" is always written (accepted beats unknown), the others only by the claim's
-- holder. outcome: accepted, retry, held, failed or unknown · details: wamid, mark (digest of number and wamid), wa_id
-- (its spellings), delay_ms, retry_class (limited, pair, unwell), error {…}, code, meta_healthy (or null), never_left,
-- reason, settle_ms, road (marketing), waba, held (why Meta holds an accepted message), took_ms (the call to Meta),
-- ago_ms (since it ended).
-- Return {1, or 0 (not written: the claim is lost, or Meta's status shows that it has the message), or -1 (no such
-- record); ms since it was queued; id of its fallback}. A repeated call (same token) returns the same.
-- args: id token outcome retention:number details:json
-- include: allow_when_full clock lifetime wake thread events consent identity lane batch tags record pause rate quota pair stop held_sends
local PROBE_AGAIN_MS = 5000
local STOPPED = 131050 -- Meta's code: the customer wants no marketing
local record = record_key(id)
local v = redis.call('HMGET', record, 'token', 'n', 'c', 's:queued', 'consumer', 'claimed', 'wamid', 's:accepted',
  'rank', 'to', 'outcome_token')
if not v[2] then return { -1, 0, '' } end
local number, conversation = v[2], v[3]
local waited = wall - tonumber(v[4] or wall)
count_landed(number, id .. ':' .. token, details.took_ms or now - tonumber(v[6] or now), details.ago_ms or 0,
  outcome == 'accepted')

if outcome == 'accepted' then
  local facts = { 'wamid', v[7] or details.wamid, 's:accepted', v[8] or wall }
  if tonumber(v[9] or 0) < RANK.accepted then
    for _, fact in ipairs({ 'status', 'accepted', 'rank', RANK.accepted }) do facts[#facts + 1] = fact end
  end
  if type(details.road) == 'string' then
    facts[#facts + 1] = 'road'
    facts[#facts + 1] = details.road
  end
  redis.call('HDEL', record, 'held', 'held_at', 'held_until')
  if details.held and tonumber(v[9] or 0) < RANK.sent then
    for _, fact in ipairs({ 'held', details.held, 'held_at', wall }) do facts[#facts + 1] = fact end
  end
  redis.call('HSET', record, unpack(facts))
  redis.call('SET', prefix .. 'wamid:' .. details.mark, id, 'EX', retention)
  redis.call('ZREM', prefix .. 'unknown', id)
  if redis.call('HGET', record, 'status') ~= 'failed' then redis.call('HDEL', record, 'error') end
  end_record(id, retention)
  append_send_event(id, conversation, 'accepted', retention)
end

-- The probe decides whether the pause ends. A send that was in flight when the pause began can end it only where the
-- reason is `meta_unwell` and Meta accepted the message.
local pause_key = prefix .. 'pause:' .. number
local pause = redis.call('HMGET', pause_key, 'probe', 'reason')
if pause[1] ~= id then
  if outcome == 'accepted' and pause[2] == 'meta_unwell' then redis.call('DEL', pause_key) end
elseif details.meta_healthy == true then
  redis.call('DEL', pause_key)
elseif details.meta_healthy == false then
  pause_number(number, details.reason or 'meta_unwell', 0, id)
elseif outcome == 'retry' then
  -- The probe was stopped by its own process's open breaker and proves nothing: send another one soon.
  redis.call('HSET', pause_key, 'until', now + math.min(details.delay_ms, PROBE_AGAIN_MS), 'probe', '')
end

if v[1] ~= token or redis.call('ZREM', prefix .. 'busy', id) == 0 then
  local is_repeated = v[11] == token
  local is_written = outcome == 'accepted' or is_repeated
  -- The claim had expired and the record was queued again, but Meta has it. A claim that is running now stays.
  if outcome == 'accepted' and not redis.call('ZSCORE', prefix .. 'busy', id) then
    drop_from_lane(number, conversation, id)
  end
  -- The claim expired before the message was sent (a frozen process): it is known not to have left, so queue it again.
  if outcome == 'retry' and details.never_left and v[1] == token and redis.call('ZREM', prefix .. 'unknown', id) == 1 then
    redis.call('HSET', record, 'status', 'queued', 'rank', 0, 'outcome_token', token)
    readdress_again(id, conversation)
    pair_refund(conversation)
    enter_lane(number, conversation, id, redis.call('HGET', record, 'urgent') == '1', false)
    is_written = true
  end
  count_in_batch(id)
  local fell_back = is_repeated and redis.call('HEXISTS', record, 'fell_back') == 1
  return { is_written and 1 or 0, waited, fell_back and redis.call('HGET', record, 'fallback_id') or '' }
end
redis.call('SREM', prefix .. 'claims:' .. (v[5] or ''), id)
-- A status arrived before the outcome: Meta has the message.
if outcome ~= 'accepted' and rank(id) >= RANK.accepted then
  leave_lane(number, conversation, id)
  end_record(id, retention)
  count_in_batch(id)
  return { 0, waited, '' }
end
if outcome ~= 'accepted' then redis.call('HSET', record, 'outcome_token', token) end

local fallback_id = ''
-- Whether a template may replace the message: the window is closed, or Direct Send does not accept this message.
local function falls_back(code)
  if code == 131047 then return true end
  return (code == 100 or code == 139200) and redis.call('HEXISTS', record, 'category') == 1
end
if outcome == 'retry' then
  redis.call('HSET', record, 'status', 'queued', 'rank', 0)
  readdress_again(id, conversation)
  if details.never_left then pair_refund(conversation) end
  if details.retry_class then redis.call('HINCRBY', record, 'retries:' .. details.retry_class, 1) end
  if details.error then
    redis.call('HSET', record, 'error', cjson.encode(details.error))
    local batch = redis.call('HGET', record, 'batch')
    if batch and details.error.code == 131048 then pause_batch(batch, 'spam_limited') end
  end
  if redis.call('EXISTS', prefix .. 'lane:' .. conversation) == 1 then -- else the customer was erased
    push_note(conversation, cjson.encode({ r = id, retry_ms = details.delay_ms,
      code = details.error and details.error.code or nil,
      reason = details.error and details.error.reason or details.reason or nil }), retention)
    offer(number, conversation, now + details.delay_ms)
  end
elseif outcome == 'unknown' then
  if details.error then redis.call('HSET', record, 'error', cjson.encode(details.error)) end
  raise_status(id, 'unknown', wall)
  redis.call('HSET', record, 'status', 'unknown')
  redis.call('ZADD', prefix .. 'unknown', now + details.settle_ms, id)
  leave_lane(number, conversation, id)
  notify_caller(id)
  append_send_event(id, conversation, 'unknown', retention)
elseif outcome == 'held' and redis.call('EXISTS', prefix .. 'lane:' .. conversation) == 1 then
  local until_ms = wall + details.delay_ms
  local why = details.reason == UNAVAILABLE and UNAVAILABLE or PAUSED
  local w = redis.call('HMGET', record, 'template', 'batch')
  if w[1] then hold_template(details.waba, w[1], until_ms, why) end
  redis.call('HSET', record, 'status', 'queued', 'rank', 0, 'error', cjson.encode(details.error))
  if w[2] and why == PAUSED then
    pause_batch(w[2], PAUSED)
    offer(number, conversation, now) -- `next` returns it to its batch
  else
    hold_send(number, conversation, id, until_ms, why, retention)
  end
elseif outcome == 'failed' or outcome == 'held' then
  if falls_back(details.code) and fall_back(id, number, conversation, retention) then
    fallback_id = redis.call('HGET', record, 'fallback_id')
  end
  release_reservation(id, conversation)
  if details.code == STOPPED then refused_by_meta(conversation, 0, tostring(STOPPED), retention) end
  fail_record(id, conversation, cjson.encode(details.error), retention)
  leave_lane(number, conversation, id)
else
  leave_lane(number, conversation, id)
  -- An answer does not recreate a customer who was erased meanwhile.
  local wa_id = details.wa_id
  if type(wa_id) == 'table' and wa_id[1] ~= v[10] and redis.call('EXISTS', contact_key(conversation)) == 1 then
    link_number(number, conversation, wa_id, retention)
  end
end
count_in_batch(id)
return { 1, waited, fallback_id }
