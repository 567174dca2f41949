-- Move items of batches into their lanes, a few at a time, in turn between batches. Items are checked here as `put`
-- checks a bulk send.
-- throughput: of the number; at most twice as many lanes of bulk sends are due · count: of items that one call looks
-- at, divided among the batches · ttl: how long (ms) an item without `until_ms` may wait in its lane · daily_limit: of
-- the business account `waba` · quiet: batch → end (ms) of its quiet hours, one time for all items or one a country.
-- Return how many items were moved.
-- args: number throughput:number count:number ceiling:number ttl:number retention:number waba daily_limit quiet:json
-- include: refuse_when_full clock lifetime wake thread events consent identity lane batch record tags enqueue quota item_record stop held_sends dead_letters wrong_types
local LOOK_AGAIN_MS = 60000
local active, moved = batches_key(number), 0
local LEAST_WINDOW = 100
local allowed = tonumber(redis.call('HGET', prefix .. 'meta_limits:' .. number, 'throughput') or throughput)
local window = math.max(LEAST_WINDOW, 2 * allowed)
-- Lanes whose head must wait until later (for the template quota, or a retry) take no other send's place.
local due_now = redis.call('ZCOUNT', prefix .. 'out:' .. number .. ':1', '-inf', now)
local room = math.min(count, window - due_now)

local function refuse(batch, index, send, reason, title)
  local id, conversation = write_item_record(batch, index, send, retention)
  if send.body and not send.forgotten then redis.call('HSET', record_key(id), 'body', send.body) end
  -- Show it in the thread of a known contact.
  if redis.call('EXISTS', contact_key(conversation)) == 1 then push_thread(conversation, 'r' .. id, retention) end
  fail_record(id, conversation, cjson.encode({ reason = reason, title = title }), retention)
end

-- reserve_item(batch, index, send, conversation) -> whether it has room in the template quota; if not, it waits in its
-- batch, where it takes no other batch's place in the lanes. Its service window may open before the quota has room, so
-- look again; the delay bounds it to about 100 items a second.
local function reserve_item(batch, index, send, conversation)
  if not send.opens then return true end
  local wait, reservation = reserve(waba, conversation, daily_limit, false)
  if wait > 0 then
    local look_again = math.max(LOOK_AGAIN_MS, 10 * redis.call('ZCARD', later_key(batch, number)))
    wait_in_batch(batch, number, index, wall + math.min(wait, look_again))
    moved = moved - 1
    return false
  end
  send.reservation = reservation
  return true
end

local function start(batch, index, send, conversation)
  if redis.call('LLEN', prefix .. 'lane:' .. conversation) >= ceiling then
    return wait_in_batch(batch, number, index, wall + LOOK_AGAIN_MS)
  end
  local other_until = redis.call('HGET', contact_key(conversation), 'other_until')
  if not send.opens and not send.take and tonumber(other_until or 0) > wall then
    return refuse(batch, index, send, 'not_owner', "Another application owns this thread.")
  end
  if is_marketing(waba, send.template) and is_stopped(conversation, send.stops or {}, retention) then
    return refuse(batch, index, send, 'customer_stopped', 'The customer wants no marketing.')
  end
  if not reserve_item(batch, index, send, conversation) then return end
  conversation = resolve(send.n, send.who, retention)
  -- Write a STOP that only a digest has to the contact, where `next` reads it: the template's category may change.
  if send.template then is_stopped(conversation, send.stops or {}, retention) end
  if send.opens then redis.call('HSET', contact_key(conversation), 'quota', waba) end
  send.take, send.who, send.stops = nil, nil, nil
  send.id, send.batch, send.batch_index, send.counted = item_record(batch, index), batch, index, 'queued'
  enqueue(send, conversation, retention)
  count_item(batch, index, 'scheduled', 'queued')
end

local function move(batch, index, quiet_until)
  local raw = redis.call('HGET', items_key(batch), index)
  if not raw then return end -- its customer was erased
  local facts, body = string.match(raw, '^([^\n]*)\n(.*)$')
  local send = read_item(facts)
  local rests_until = type(quiet_until) == 'table' and quiet_until[send.country or '']
  if rests_until and rests_until > wall then
    return wait_in_batch(batch, number, index, rests_until)
  end
  -- Other items of the batch go on. A paused template pauses its batch, see `next`.
  local held_until, why = template_held_until(waba, send.template or '')
  local id = item_record(batch, index)
  if why == UNAVAILABLE then
    local was_held = redis.call('HEXISTS', record_key(id), 'held_until') == 1
    if was_held then redis.call('HSET', record_key(id), 'held_until', held_until) end
    return wait_in_batch(batch, number, index, held_until)
  end
  moved = moved + 1
  local before = redis.call('HMGET', record_key(id), 'status', 'held_until', 'expires')
  if before[1] == 'scheduled' then -- it was returned from its lane: the batch was paused, or the item held
    local conversation = conversation_of(send.n, send.who)
    if not reserve_item(batch, index, send, conversation) then return end
    conversation = resolve(send.n, send.who, retention)
    if send.reservation then redis.call('HSET', record_key(id), 'reservation', send.reservation) end
    -- Its ttl includes the time for which it was held, not what it waited afterwards, as in quiet hours.
    local held_until, expires = tonumber(before[2]), wall + ttl
    if held_until then expires = tonumber(before[3]) + math.max(0, wall - held_until) end
    redis.call('HSET', record_key(id), 'c', conversation, 'status', 'queued', 'rank', 0, 'expires',
      send.until_ms or expires)
    enter_lane(number, conversation, id, false, false)
    return count_in_batch(id)
  end
  if before[1] then return end
  if send.until_ms and send.until_ms <= wall then
    return refuse(batch, index, send, 'expired', 'It waited longer than its ttl.')
  end
  send.body, send.priority, send.ttl = body, 'bulk', send.until_ms and send.until_ms - wall or ttl
  local conversation = conversation_of(send.n, send.who)
  without_wrong_types(conversation, retention, start, batch, index, send, conversation)
end

-- After an error, return the item to its batch and undo what was written.
local function undo_move(batch, index)
  wait_in_batch(batch, number, index, wall + LOOK_AGAIN_MS)
  local id = item_record(batch, index)
  local conversation = redis.call('HGET', record_key(id), 'c')
  if not conversation then return end
  pcall(drop_from_lane, number, conversation, id)
  pcall(release_reservation, id, conversation)
  redis.call('DEL', record_key(id))
end

local function next_index(batch)
  local later = later_key(batch, number)
  local due = redis.call('ZRANGEBYSCORE', later, '-inf', wall, 'LIMIT', 0, 1)[1]
  if due then
    redis.call('ZREM', later, due)
    return due
  end
  return redis.call('LPOP', wait_key(batch, number))
end

local due = redis.call('ZRANGEBYSCORE', active, '-inf', now, 'LIMIT', 0, 100)
if room > 0 then
  local share = math.max(1, math.ceil(room / math.max(1, #due)))
  local most_looks = math.max(1, math.ceil(count / math.max(1, #due))) -- includes items that wait on in the batch
  for _, batch in ipairs(due) do
    local quiet_until = quiet[batch]
    local v = redis.call('HMGET', batch_key(batch), 'state', 'at')
    local begins_at = tonumber(v[2] or 0)
    if v[1] ~= 'running' then
      redis.call('ZREM', active, batch)
    elseif begins_at > wall then
      look_at(batch, number, begins_at)
    elseif type(quiet_until) == 'number' then
      look_at(batch, number, quiet_until)
    elseif moved < room then
      local most, index = math.min(room, moved + share), nil
      for _ = 1, most_looks do
        index = moved < most and next_index(batch)
        if not index then break end
        if not pcall(move, batch, index, quiet_until) then undo_move(batch, index) end
        if redis.call('HGET', batch_key(batch), 'state') ~= 'running' then break end
      end
      local first = redis.call('ZRANGE', later_key(batch, number), 0, 0, 'WITHSCORES')
      if redis.call('EXISTS', wait_key(batch, number)) == 1 then
        look_at(batch, number, wall) -- behind batches that had no turn
      elseif first[1] then
        look_at(batch, number, tonumber(first[2]))
      else
        redis.call('ZREM', active, batch)
      end
    end
  end
end
return moved
