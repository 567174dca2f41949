-- Queue or schedule a send. A repeat with the same idempotency key gets the record as it is.
-- send: as `enqueue` takes it · idempotency: a key ("" none) · fingerprint: of the request · wait_ms: how long the
-- caller waits for the result · ceiling: of the lane · opens: it is a template, which may open a conversation · who:
-- see `resolve`; one address, because only Meta provides aliases · take: send although another application owns the
-- thread · stops: digests of the recipient's addresses · marketing_per_week: marketing templates a customer may get (0:
-- no limit).
-- Without room in the template quota a bulk send is queued and waits, others are refused. A send with a future
-- `send_at` is stored outside the lanes; `due` checks lane, quota and owner at that time. A marketing template to a
-- stopped customer is refused, unless the send has `despite_stop`.
-- Return {"not_owner"}, {"stopped"}, {"marketing_limit", ms}, {"queued", id}, {"scheduled", id}, {"replayed", id},
-- {"waiting", id}, {"conflict", id}, {"full"}, {"unsent_bytes"} or {"quota", ms}.
-- args: send:json retention:number idempotency fingerprint wait_ms ceiling:number waba daily_limit opens:flag who:json take:flag stops:json marketing_per_week:number
-- include: refuse_when_full clock lifetime wake thread events consent identity lane tags enqueue quota stop marketing dead_letters wrong_types
if idempotency ~= '' then
  local first = redis.call('HMGET', idempotency, 'fingerprint', 'id', 'until')
  if first[1] then
    if first[1] ~= fingerprint then return { 'conflict', first[2] } end
    local status = redis.call('HGET', prefix .. 'record:' .. first[2], 'status')
    if status then
      if tonumber(first[3]) > now and (status == 'queued' or status == 'sending') then return { 'waiting', first[2] } end
      return { 'replayed', first[2] }
    end
  end
end
local conversation = conversation_of(send.n, who)
local function store_idempotency(delay_ms)
  if idempotency == '' then return end
  redis.call('HSET', idempotency, 'fingerprint', fingerprint, 'id', send.id, 'until', now + wait_ms)
  redis.call('EXPIRE', idempotency, math.floor((delay_ms + send.ttl) / 1000) + retention)
  send.idempotency = idempotency
end

-- Write a STOP that only a digest has to the contact, where `next` reads it: the template's category may change, and a
-- fallback leaves later.
local function take_over_stop()
  if send.template or send.fallback_name then is_stopped(conversation, stops, retention) end
end

-- The contact is kept at least until then.
local function schedule()
  local delay_ms = send.send_at - wall
  conversation = resolve(send.n, who, retention + math.ceil(delay_ms / 1000))
  take_over_stop()
  store_idempotency(delay_ms)
  send.who, send.take = cjson.encode(who), take and 1 or nil
  write_record(send, conversation, 'scheduled', retention)
  redis.call('ZADD', prefix .. 'scheduled:' .. send.n, send.send_at, send.id)
  return { 'scheduled', send.id }
end

local function queue()
  if not has_room_for(send) then return { 'unsent_bytes' } end
  if is_marketing(waba, send.template) then
    if not send.despite_stop and is_stopped(conversation, stops, retention) then return { 'stopped' } end
  end
  if marketing_per_week > 0 and is_surely_marketing(waba, send.template) then
    local wait = marketing_wait(conversation, marketing_per_week, send.send_at)
    if wait > 0 then return { 'marketing_limit', wait } end
  end
  if send.send_at and send.send_at > wall then return schedule() end
  local other_until = redis.call('HGET', contact_key(conversation), 'other_until')
  if not opens and not take and tonumber(other_until or 0) > wall then return { 'not_owner' } end
  if redis.call('LLEN', prefix .. 'lane:' .. conversation) >= ceiling then return { 'full' } end
  if opens then
    local wait, reservation = reserve(waba, conversation, daily_limit, false)
    if wait > 0 and send.priority ~= 'bulk' then return { 'quota', wait } end
    send.reservation = reservation
  end
  conversation = resolve(send.n, who, retention)
  take_over_stop()
  -- A merge of two contacts moves the reservation along.
  if opens then redis.call('HSET', contact_key(conversation), 'quota', waba) end
  store_idempotency(0)
  enqueue(send, conversation, retention)
  return { 'queued', send.id }
end
return without_wrong_types(conversation, retention, queue)
