-- A record's life: rec:<id>. Ranks only rise; a late status is kept in the history (s:<status>).
local RANK = { queued = 0, sending = 1, unknown = 1, accepted = 2, sent = 3, failed = 4, delivered = 5,
  read = 6, played = 7 }
local IDEMPOTENCY_SECONDS = 86400

local function key(id) return 'wa:rec:' .. id end

local function rank(id) return tonumber(redis.call('HGET', key(id), 'rank') or 0) end

-- rise(id, status, at) -> whether the status became the record's; its time is kept in any case, the first one.
local function rise(id, status, at)
  redis.call('HSETNX', key(id), 's:' .. status, at)
  if rank(id) < RANK[status] then
    redis.call('HSET', key(id), 'status', status, 'rank', RANK[status])
    return true
  end
  return false
end

-- answer(id, to): tells the web process that waits for this record, if one does; `to` where it is known.
local function answer(id, to)
  to = to or redis.call('HGET', key(id), 'answer_to')
  if to and to ~= '' then
    redis.call('RPUSH', to, id)
    redis.call('EXPIRE', to, 60)
    redis.call('HDEL', key(id), 'answer_to')
  end
end

-- ended(id, keep): from now on its lifetime runs; what it said is no longer needed.
local function ended(id, keep)
  redis.call('EXPIRE', key(id), keep)
  redis.call('HDEL', key(id), 'body')
  local v = redis.call('HMGET', key(id), 'idem', 'answer_to')
  if v[1] and v[1] ~= '' then redis.call('EXPIRE', v[1], IDEMPOTENCY_SECONDS) end
  answer(id, v[2] or '')
end

local function report(id, c, status, keep, error)
  local opaque = redis.call('HGET', key(id), 'opaque')
  tell('send', c, cjson.encode({ id = id, status = status, time = now, error = error and cjson.decode(error) or nil,
    biz_opaque_callback_data = opaque or nil }), keep)
end

-- fail(id, c, error, keep): error is a JSON object with at least a reason.
local function fail(id, c, error, keep)
  redis.call('HSET', key(id), 'error', error)
  rise(id, 'failed', now)
  redis.call('HDEL', key(id), 'fallback')
  ended(id, keep)
  report(id, c, 'failed', keep, error)
end

-- fall_back(id, n, c, keep) -> whether the record's template now stands at its lane's head, in its place. Once. It
-- may wait as long as the record might have, and the idempotency key means it from now on: the request goes on.
local function fall_back(id, n, c, keep)
  local v = redis.call('HMGET', key(id), 'fallback', 'fallback_id', 'expires', 'opaque', 'origin', 's:queued', 'idem')
  if not v[1] or v[1] == '' or redis.call('HSETNX', key(id), 'fell_back', now) == 0 then return false end
  local ttl = math.max(0, tonumber(v[3] or now) - tonumber(v[6] or now))
  redis.call('HSET', key(v[2]), 'v', 1, 'n', n, 'c', c, 'type', 'template', 'body', v[1], 'status', 'queued', 'rank', 0,
    's:queued', now, 'expires', now + ttl, 'instead_of', id, 'origin', v[5] or '', 'urgent', 1)
  if v[4] then redis.call('HSET', key(v[2]), 'opaque', v[4]) end
  if v[7] and redis.call('HGET', v[7], 'id') == id then
    redis.call('HDEL', key(id), 'idem')
    redis.call('HSET', key(v[2]), 'idem', v[7])
    redis.call('HSET', v[7], 'id', v[2], 'until', 0)
    redis.call('EXPIRE', v[7], math.floor(ttl / 1000) + keep)
  end
  enter(n, c, v[2], true, true)
  return true
end
