-- The template quota of a business account: customers opened by template in the last 24 h, by time. Meta counts a
-- customer once for all numbers of the account, from when the message left. `put` makes a reservation, so that the
-- caller learns of a full quota; it gets the time of sending when the template leaves. The record that made it stores
-- it ("<ms> <waba>").
local DAY_MS = 86400000
local function customer(conversation) return string.match(conversation, ':(.*)$') end

-- reserve(waba, conversation, limit, leaves, reservation) -> 0 when the customer may be opened, else ms until one may;
-- and the record's reservation, if it has one. leaves: whether the template leaves now; reservation: the record's so
-- far. A customer with an open service window, or opened in the last 24 h, needs no room.
local function reserve(waba, conversation, limit, leaves, reservation)
  local window = tonumber(redis.call('HGET', prefix .. 'contact:' .. conversation, 'window_end') or 0)
  if window > wall then return 0, reservation end
  limit = tonumber(redis.call('HGET', prefix .. 'meta_limits:' .. waba, 'daily_limit') or limit)
  local quota = prefix .. 'quota:' .. waba
  redis.call('ZREMRANGEBYSCORE', quota, '-inf', wall - DAY_MS)
  local since = redis.call('ZSCORE', quota, customer(conversation))
  if since and not leaves then return 0 end
  if not since and limit > 0 and redis.call('ZCARD', quota) >= limit then
    local oldest = redis.call('ZRANGE', quota, 0, 0, 'WITHSCORES')
    return math.max(1, tonumber(oldest[2]) + DAY_MS - wall + 1)
  end
  redis.call('ZADD', quota, wall, customer(conversation))
  redis.call('PEXPIRE', quota, DAY_MS)
  if not since or reservation == since .. ' ' .. waba then reservation = wall .. ' ' .. waba end
  return 0, reservation
end

-- reserve_at_send(waba, conversation, limit, id) -> 0 when the record's template may leave now, else ms until it may.
local function reserve_at_send(waba, conversation, limit, id)
  local record = prefix .. 'record:' .. id
  local had = redis.call('HGET', record, 'reservation')
  local wait, reservation = reserve(waba, conversation, limit, true, had)
  if reservation and reservation ~= had then redis.call('HSET', record, 'reservation', reservation) end
  return wait
end

-- release_reservation(id, conversation): release the reservation of a record that Meta never accepted, unless another
-- template to this customer left meanwhile. A template that waits in the same lane takes it over. The record no longer
-- counts for the customer's week of marketing either.
local function release_reservation(id, conversation)
  redis.call('ZREM', prefix .. 'marketing:' .. conversation, id)
  local reservation = redis.call('HGET', prefix .. 'record:' .. id, 'reservation')
  if not reservation then return end
  local since, waba = string.match(reservation, '^(%d+) (.*)$')
  local quota = prefix .. 'quota:' .. waba
  if redis.call('ZSCORE', quota, customer(conversation)) ~= since then return end
  for _, other in ipairs(redis.call('LRANGE', prefix .. 'lane:' .. conversation, 0, 9)) do
    local record = prefix .. 'record:' .. other
    if other ~= id and redis.call('HGET', record, 'type') == 'template' then
      redis.call('HSET', record, 'reservation', reservation)
      return
    end
  end
  redis.call('ZREM', quota, customer(conversation))
end
