-- The daily reach of a business account: customers opened by template in the last 24 h, by when. Meta counts a customer
-- once, whichever number wrote, and from when the message left: a place is taken when the template is put, so that the
-- caller hears of it, and dated anew when it leaves. The record that took the place knows it ("date waba").
local DAY_MS = 86400000
local function customer(c) return string.match(c, ':(.*)$') end

-- reserve(waba, c, limit, leaves, place) -> 0 when the customer may be opened, else ms until one may; and the record's
-- place, if it took one. leaves: the template leaves now; place: what it has. A customer whose service window is open
-- is free, and so is who was opened in the last 24 h.
local function reserve(waba, c, limit, leaves, place)
  local window = tonumber(redis.call('HGET', 'wa:contact:' .. c, 'window_end') or 0)
  if window > now then return 0, place end
  local said = redis.call('HGET', 'wa:said:' .. waba, 'daily_limit')
  limit = tonumber(said or limit)
  local set = 'wa:reach:' .. waba
  redis.call('ZREMRANGEBYSCORE', set, '-inf', now - DAY_MS)
  local since = redis.call('ZSCORE', set, customer(c))
  if since and not leaves then return 0 end
  if not since and limit > 0 and redis.call('ZCARD', set) >= limit then
    local oldest = redis.call('ZRANGE', set, 0, 0, 'WITHSCORES')
    return math.max(1, tonumber(oldest[2]) + DAY_MS - now + 1)
  end
  redis.call('ZADD', set, now, customer(c))
  redis.call('PEXPIRE', set, DAY_MS)
  if not since or place == since .. ' ' .. waba then place = now .. ' ' .. waba end
  return 0, place
end

-- reserve_to_leave(waba, c, limit, id) -> 0 when the record's template may leave now, else ms until it may.
local function reserve_to_leave(waba, c, limit, id)
  local record = 'wa:rec:' .. id
  local had = redis.call('HGET', record, 'place')
  local wait, place = reserve(waba, c, limit, true, had)
  if place and place ~= had then redis.call('HSET', record, 'place', place) end
  return wait
end

-- vacate(id, c): the record failed and Meta never took it, so its place is free, unless another one left meanwhile. A
-- template that waits in the same lane gets it.
local function vacate(id, c)
  local place = redis.call('HGET', 'wa:rec:' .. id, 'place')
  if not place then return end
  local since, waba = string.match(place, '^(%d+) (.*)$')
  if redis.call('ZSCORE', 'wa:reach:' .. waba, customer(c)) ~= since then return end
  for _, other in ipairs(redis.call('LRANGE', 'wa:q:' .. c, 0, 9)) do
    if other ~= id and redis.call('HGET', 'wa:rec:' .. other, 'type') == 'template' then
      redis.call('HSET', 'wa:rec:' .. other, 'place', place)
      return
    end
  end
  redis.call('ZREM', 'wa:reach:' .. waba, customer(c))
end
