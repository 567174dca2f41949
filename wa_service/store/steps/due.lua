-- Move a number's scheduled sends that are due into their lanes, at most `count` of them. They are due by the server's
-- clock (`wall`), because people set their time. ceiling: of a lane · waba, daily_limit: as for `next`.
-- Return {ms until the next call (-1: nothing is scheduled), how many moved, {ids that failed}}.
-- args: number count:number ceiling:number retention:number waba daily_limit
-- include: allow_when_full clock lifetime wake thread events consent identity lane batch record quota dead_letters wrong_types
local LOOK_AGAIN_MS = 1000
local scheduled, moved, failed = prefix .. 'scheduled:' .. number, 0, {}

-- A reply was held: it stays in its conversation, and goes to an address that its customer has now.
local function move(id, conversation, is_reply)
  local record = record_key(id)
  local v = redis.call('HMGET', record, 'who', 'type', 'take', 'urgent', 'category', 'held')
  -- Keys of a wrong type raise here, before the first write.
  redis.call('HGET', prefix .. 'conv:' .. conversation, 'urgent')
  if redis.call('LLEN', prefix .. 'lane:' .. conversation) >= ceiling then return false end
  local other_until = redis.call('HGET', contact_key(conversation), 'other_until')
  if is_reply then
    readdress_again(id, conversation)
  else
    conversation = resolve(number, cjson.decode(v[1]), retention)
  end
  redis.call('HSET', record, 'c', conversation)
  redis.call('HDEL', record, 'who')
  redis.call('ZREM', scheduled, id)
  local opens = v[2] == 'template' or v[5]
  if not opens and not v[3] and tonumber(other_until or 0) > wall then
    fail_record(id, conversation, '{"reason":"not_owner","title":"Another application owns this thread."}', retention)
    failed[#failed + 1] = id
    return true
  end
  if opens then
    local _, reservation = reserve(waba, conversation, daily_limit, false)
    if reservation then redis.call('HSET', record, 'reservation', reservation) end
    -- A reply creates no contact where its customer's has expired.
    if redis.call('EXISTS', contact_key(conversation)) == 1 then
      redis.call('HSET', contact_key(conversation), 'quota', waba)
    end
  end
  raise_status(id, 'queued', wall)
  redis.call('ZADD', prefix .. 'sends', 'NX', wall, id) -- `trim` may have removed it meanwhile
  if not v[6] then push_thread(conversation, 'r' .. id, retention) end
  enter_lane(number, conversation, id, v[4] == '1', false)
  count_in_batch(id)
  moved = moved + 1
  return true
end

for _, id in ipairs(redis.call('ZRANGEBYSCORE', scheduled, '-inf', wall, 'LIMIT', 0, count)) do
  local v = redis.call('HMGET', record_key(id), 'who', 'origin', 'c')
  if not v[1] then
    redis.call('ZREM', scheduled, id)
  else
    local is_reply = v[2] and v[2] ~= ''
    local conversation = is_reply and (redis.call('GET', prefix .. 'joined:' .. v[3]) or v[3])
      or conversation_of(number, cjson.decode(v[1]))
    local ok, done = pcall(without_wrong_types, conversation, retention, move, id, conversation, is_reply)
    -- Its lane is full, or an error: try again later, and go on with the others.
    if not ok or not done then redis.call('ZADD', scheduled, 'XX', wall + LOOK_AGAIN_MS, id) end
  end
end
local first = redis.call('ZRANGE', scheduled, 0, 0, 'WITHSCORES')
return { first[1] and math.max(0, tonumber(first[2]) - wall) or -1, moved, failed }
