-- Grant records that may be sent now: heads of lanes, within pause, throughput, pair limit and template quota. Only
-- this step grants. A repeated call (same counter) gets the same answer.
-- throughput: messages a second · margin_ms, claim_ms · daily_limit: of the business account `waba` ·
-- marketing_per_week: marketing templates a customer may get (0: no limit) · bulk: how many of `count` may be bulk
-- sends.
-- Return {ms until the next call (-1: until woken), why, {id, reason, ... of those that failed}, {id, token,
-- conversation, type, body, limited retries, pair retries, unwell retries, origin, ms since queued, 1 where Meta
-- lists its template as marketing}...}.
-- args: number consumer counter throughput margin_ms:number claim_ms:number count:number retention:number waba daily_limit marketing_per_week:number bulk:number
-- include: allow_when_full clock lifetime wake thread events consent lane batch record quota batch_items rate pair stop marketing held_sends dead_letters wrong_types
local failed = {}
local answer = { 0, '', failed }
local last_next = prefix .. 'last_next:' .. consumer .. ':' .. number

local function grant(id)
  local v = redis.call('HMGET', record_key(id), 'token', 'c', 'type', 'body', 'retries:limited', 'retries:pair',
    'retries:unwell', 'origin', 's:queued', 'template')
  local marketing = v[3] == 'template' and is_surely_marketing(waba, v[10])
  return { id, tonumber(v[1]), v[2], v[3], v[4] or '', tonumber(v[5] or 0), tonumber(v[6] or 0), tonumber(v[7] or 0),
    v[8] or '', wall - tonumber(v[9] or wall), marketing and 1 or 0 }
end

local pause_key = prefix .. 'pause:' .. number
local pause = redis.call('HMGET', pause_key, 'until', 'probe')

-- Start the claim: until it ends, the message counts as in flight.
local function begin_claim(id, token)
  redis.call('ZADD', prefix .. 'busy', now + claim_ms, id)
  count_sent(number, id .. ':' .. token, now + claim_ms)
  redis.call('HSET', record_key(id), 'claimed', now)
end

local before = redis.call('LRANGE', last_next, 0, -1)
-- A delayed call: its consumer has called again since and would not see this answer.
if before[1] and tonumber(counter) < tonumber(before[1]) then return { 0, 'late', failed } end
if before[1] == counter then
  for i = 2, #before, 2 do
    local id, token = before[i], before[i + 1]
    if redis.call('HGET', record_key(id), 'token') == token and redis.call('ZSCORE', prefix .. 'busy', id) then
      begin_claim(id, token)
      if pause[2] == id then redis.call('HSET', pause_key, 'until', now + claim_ms) end
      answer[#answer + 1] = grant(id)
    end
  end
  if #answer > 3 then return answer end
end

if pause[1] then
  local ms = ms_until(pause[1])
  if ms > 0 then return { ms, 'pause', failed } end
  count = 1 -- the probe
end

local allowed = tonumber(redis.call('HGET', prefix .. 'meta_limits:' .. number, 'throughput') or throughput)
local pace_key = prefix .. 'pace:' .. number
local lowered = redis.call('HMGET', pace_key, 'n', 'grown')
if lowered[1] then
  local pace, grown = tonumber(lowered[1]), tonumber(lowered[2])
  local good_seconds = math.floor((now - grown) / 1000)
  if good_seconds > 0 then
    pace = pace * 1.01 ^ good_seconds
    if pace >= allowed then
      redis.call('DEL', pace_key)
    else
      redis.call('HSET', pace_key, 'n', tostring(pace), 'grown', grown + good_seconds * 1000)
    end
  end
  allowed = math.max(1, math.min(allowed, math.floor(pace)))
end

local wait, why = -1, 'idle'
local function retry_in(ms, reason)
  if wait < 0 or ms < wait then wait, why = ms, reason end
end

-- Fail a record that may not be sent at all.
local function refuse(id, conversation, reason, title)
  release_reservation(id, conversation)
  fail_record(id, conversation, cjson.encode({ reason = reason, title = title }), retention)
  leave_lane(number, conversation, id)
  failed[#failed + 1] = id
  failed[#failed + 1] = reason
end

-- Why a marketing template may not go to this customer: reason and title; nil where it may.
local function marketing_refusal(id, conversation, template, despite_stop)
  if not despite_stop and is_marketing(waba, template) and is_stopped(conversation, {}, retention) then
    return 'customer_stopped', 'The customer wants no marketing.'
  end
  local counts = marketing_per_week > 0 and is_surely_marketing(waba, template)
  if counts and marketing_wait(conversation, marketing_per_week, nil, id) > 0 then
    return 'marketing_limit', 'The customer has had a week\'s marketing.'
  end
end

local EXPIRED = {
  [PAUSED] = 'Meta paused its template for longer than its ttl.',
  [UNAVAILABLE] = 'Meta could not send its template within its ttl.',
}

-- The head of a lane, if it may go; else the lane is rescheduled.
local function head_of_lane(out, conversation)
  local id = redis.call('LINDEX', prefix .. 'lane:' .. conversation, 0)
  if not id then
    redis.call('ZREM', out, conversation)
    return nil
  end
  local record = record_key(id)
  if set_aside(record, 'record', 'hash', conversation, retention) then
    leave_lane(number, conversation, id)
    return nil
  end
  local v = redis.call('HMGET', record, 'expires', 'waits_for_quota', 'token', 'rank', 'type', 'template', 'despite_stop',
    'batch', 'category', 'held')
  local pair = pair_free_at(conversation)
  if not v[1] then
    leave_lane(number, conversation, id)
    return nil
  end
  if v[8] and return_to_batch(number, conversation, id, v[8], retention) then return nil end
  if tonumber(v[1]) <= wall then
    return refuse(id, conversation, 'expired', EXPIRED[v[10]] or 'It waited longer than its ttl.')
  end
  local held_until, why
  if v[5] == 'template' and v[6] then held_until, why = template_held_until(waba, v[6]) end
  if held_until then
    if not v[8] or why == UNAVAILABLE then return hold_send(number, conversation, id, held_until, why, retention) end
    pause_batch(v[8], PAUSED)
    if return_to_batch(number, conversation, id, v[8], retention) then return nil end
  end
  if v[10] then redis.call('HDEL', record, 'held', 'held_at', 'held_until') end
  if v[5] == 'template' and v[6] then
    local reason, title = marketing_refusal(id, conversation, v[6], v[7])
    if reason then return refuse(id, conversation, reason, title) end
  end
  if pair_wait(pair) > 0 then
    redis.call('ZADD', out, now + pair_wait(pair), conversation)
    return nil
  end
  local opens = v[5] == 'template' or v[9] -- Direct Send opens a conversation as a template does
  local blocked = opens and reserve_at_send(waba, conversation, daily_limit, id) or 0
  if blocked > 0 then
    redis.call('HSET', record, 'waits_for_quota', '1')
    -- The service window may open before the quota has room, so look again. The delay bounds it to about 100 lanes a
    -- second.
    redis.call('ZADD', out, now + math.min(blocked, math.max(60000, 10 * redis.call('ZCARD', out))), conversation)
    return nil
  end
  if v[2] then redis.call('HDEL', record, 'waits_for_quota') end
  pair_spend(conversation, pair)
  if marketing_per_week > 0 and v[5] == 'template' and is_surely_marketing(waba, v[6]) then
    count_marketing(conversation, id)
  end
  return id, conversation, tonumber(v[3] or 0) + 1, tonumber(v[4] or 0)
end

-- The first lane head of this priority that may go.
local function candidate(out)
  for _ = 1, 64 do
    local first = redis.call('ZRANGE', out, 0, 0, 'WITHSCORES')
    if not first[1] then return nil end
    if ms_until(first[2]) > 0 then
      retry_in(ms_until(first[2]), 'later')
      return nil
    end
    local id, conversation, token, rank_now =
      without_wrong_types(first[1], retention, head_of_lane, out, first[1])
    if id then return id, conversation, token, rank_now end
  end
  retry_in(1, 'more')
  return nil
end

local high, low = prefix .. 'out:' .. number .. ':0', prefix .. 'out:' .. number .. ':1'
local granted = { counter }
local turn = tonumber(redis.call('GET', prefix .. 'turn:' .. number) or 0)
local throughput_wait = throughput_of(number, allowed, margin_ms)
local even = spacing('spacing:' .. number, allowed, FASTER)
local even_bulk = spacing('bulk_spacing:' .. number, math.max(1, allowed * (1 - KEPT_FROM_BULK)), 1)
local NO_SLOT_MS = 20 -- all slots of bulk sends are in use: one is free soon, without a wake-up
while #answer - 3 < count do
  local ms = math.max(throughput_wait(REPLY_SHARE), even.wait())
  if ms > 0 then
    retry_in(ms, 'throughput')
    break
  end
  local bulk_wait = bulk > 0 and math.max(throughput_wait(BULK_SHARE, KEPT_FROM_BULK), even_bulk.wait()) or NO_SLOT_MS
  local first, second = high, low
  turn = turn + 1
  if bulk_wait > 0 then
    second = nil
    if redis.call('EXISTS', low) == 1 then retry_in(bulk_wait, 'bulk') end
  elseif turn % 10 == 0 then
    first, second = low, high
  end
  local from = first
  local id, conversation, token, rank_now = candidate(first)
  if not id and second then
    from = second
    id, conversation, token, rank_now = candidate(second)
  end
  if not id then break end
  withdraw(number, conversation)
  begin_claim(id, token)
  redis.call('SADD', prefix .. 'claims:' .. consumer, id)
  even.grant()
  if from == low then
    bulk = bulk - 1
    even_bulk.grant()
  end
  redis.call('HSETNX', record_key(id), 's:sending', wall)
  redis.call('HSET', record_key(id), 'token', token, 'consumer', consumer, 'status', 'sending',
    'rank', math.max(rank_now, RANK.sending))
  if pause[1] then redis.call('HSET', pause_key, 'until', now + claim_ms, 'probe', id) end
  granted[#granted + 1] = id
  granted[#granted + 1] = token
  answer[#answer + 1] = grant(id)
end
redis.call('DEL', last_next)
redis.call('RPUSH', last_next, unpack(granted))
redis.call('EXPIRE', last_next, 120)
if #answer > 3 then
  redis.call('SET', prefix .. 'turn:' .. number, turn, 'EX', 86400)
  even.save()
  even_bulk.save()
  refresh_ttl(prefix .. 'claims:' .. consumer, 86400)
end
if #answer - 3 < count then
  redis.call('DEL', prefix .. 'wake_out:' .. number) -- nothing else may go: all wake-ups are served
  answer[1], answer[2] = wait, why
end
return answer
