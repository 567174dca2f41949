-- A record's life. Ranks only rise; a late status is kept in the history (s:<status>).
local RANK = { scheduled = -1, queued = 0, sending = 1, unknown = 1, canceled = 1, accepted = 2, sent = 3, failed = 4,
  delivered = 5, read = 6, played = 7 }
local IDEMPOTENCY_SECONDS = 86400

local function record_key(id) return prefix .. 'record:' .. id end

local function rank(id) return tonumber(redis.call('HGET', record_key(id), 'rank') or 0) end

-- raise_status(id, status, at): set the status if its rank is higher; store its first time in any case.
local function raise_status(id, status, at)
  local record = record_key(id)
  redis.call('HSETNX', record, 's:' .. status, at)
  if rank(id) < RANK[status] then redis.call('HSET', record, 'status', status, 'rank', RANK[status]) end
end

-- notify_caller(id, list): notify the web process that waits for this record, if any. list: its key, where known.
local function notify_caller(id, list)
  list = list or redis.call('HGET', record_key(id), 'notify')
  if list and list ~= '' then
    redis.call('RPUSH', list, id)
    redis.call('EXPIRE', list, 60)
    redis.call('HDEL', record_key(id), 'notify')
  end
end

-- end_record(id, retention): start the record's retention. Its body is kept, unless it names a person who was erased
-- while the send waited, or is larger than an event may be. An accepted send keeps its fallback template until a status
-- shows whether it is needed.
local LARGEST_KEPT_BODY = 16384
local function end_record(id, retention)
  local record = record_key(id)
  redis.call('EXPIRE', record, retention)
  local v = redis.call('HMGET', record, 'idempotency', 'notify', 'forgotten', 'caller', 'unsent')
  if v[3] or redis.call('HSTRLEN', record, 'body') > LARGEST_KEPT_BODY then redis.call('HDEL', record, 'body') end
  if v[5] and redis.call('HDEL', record, 'unsent') == 1 then
    redis.call('HINCRBY', prefix .. 'unsent_bytes', v[4], -tonumber(v[5]))
  end
  if v[1] and v[1] ~= '' then redis.call('EXPIRE', v[1], IDEMPOTENCY_SECONDS) end
  notify_caller(id, v[2] or '')
end

local function append_send_event(id, conversation, status, retention, failure)
  local v = redis.call('HMGET', record_key(id), 'opaque', 'type', 'tag', 'held')
  append_event('send', conversation, cjson.encode({ id = id, status = status, time = wall, message_type = v[2] or nil,
    tag = v[3] or nil, held = v[4] or nil, error = failure and cjson.decode(failure) or nil, biz_opaque_callback_data = v[1] or nil }),
    retention)
end

-- fail_record(id, conversation, failure, retention): failure is a JSON object with at least a reason.
local function fail_record(id, conversation, failure, retention)
  redis.call('HSET', record_key(id), 'error', failure)
  raise_status(id, 'failed', wall)
  redis.call('HDEL', record_key(id), 'fallback')
  end_record(id, retention)
  append_send_event(id, conversation, 'failed', retention, failure)
  count_in_batch(id)
end

-- fall_back(id, number, conversation, retention) -> whether the record's fallback template was put at the head of its
-- lane. It happens once. The template gets the record's ttl and its idempotency key.
local function fall_back(id, number, conversation, retention)
  local record = record_key(id)
  local v = redis.call('HMGET', record, 'fallback', 'fallback_id', 'expires', 'opaque', 'origin', 's:queued',
    'idempotency', 'to', 'tag', 'fallback_name', 'despite_stop', 'forgotten')
  if not v[1] or v[1] == '' or redis.call('HSETNX', record, 'fell_back', wall) == 0 then return false end
  local template = record_key(v[2])
  local ttl = math.max(0, tonumber(v[3] or wall) - tonumber(v[6] or wall))
  redis.call('HSET', template, 'v', 1, 'n', number, 'c', conversation, 'type', 'template', 'body', v[1],
    'status', 'queued', 'rank', 0, 's:queued', wall, 'expires', wall + ttl, 'instead_of', id, 'origin', v[5] or '',
    'urgent', 1, 'to', v[8] or '')
  if v[4] then redis.call('HSET', template, 'opaque', v[4]) end
  if v[9] then
    redis.call('HSET', template, 'tag', v[9])
    note_tag(v[9], v[2], retention)
  end
  if v[10] then redis.call('HSET', template, 'template', v[10]) end
  if v[11] then redis.call('HSET', template, 'despite_stop', v[11]) end
  if v[12] then redis.call('HSET', template, 'forgotten', v[12]) end
  redis.call('ZADD', prefix .. 'sends', wall, v[2])
  push_thread(conversation, 'r' .. v[2], retention)
  if v[7] and redis.call('HGET', v[7], 'id') == id then
    redis.call('HDEL', record, 'idempotency')
    redis.call('HSET', template, 'idempotency', v[7])
    redis.call('HSET', v[7], 'id', v[2], 'until', 0)
    redis.call('EXPIRE', v[7], math.floor(ttl / 1000) + retention)
  end
  enter_lane(number, conversation, v[2], true, true)
  return true
end
