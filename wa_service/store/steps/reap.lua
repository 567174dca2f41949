-- include: clock lifetime bell tell lane record rate
-- Claims whose holder never said how it ended: the message may be with Meta or not. It is unknown, leaves its
-- lane, and is settled later. ARGV 1 settle (ms) · 2 keep (s). Returns the ids.
redis.call('DEL', 'wa:none')
local reaped = {}
-- What ends later than any claim was written before the clock was turned back.
local jumped = redis.call('ZRANGEBYSCORE', 'wa:busy', now + RATE_SECONDS * 1000, '+inf', 'LIMIT', 0, 100)
for _, id in ipairs(jumped) do redis.call('ZADD', 'wa:busy', now, id) end
for _, id in ipairs(redis.call('ZRANGEBYSCORE', 'wa:busy', '-inf', now, 'LIMIT', 0, 100)) do
  redis.call('ZREM', 'wa:busy', id)
  local v = redis.call('HMGET', key(id), 'n', 'c', 'token', 'puller')
  if v[1] then
    redis.call('SREM', 'wa:claims:' .. (v[4] or ''), id) -- another's claim, later, is not this puller's to end
    if rank(id) < RANK.accepted then
      rise(id, 'unknown', now)
      redis.call('HSET', key(id), 'status', 'unknown')
      redis.call('ZADD', 'wa:doubt', now + ARGV[1], id)
      report(id, v[2], 'unknown', tonumber(ARGV[2]))
      answer(id)
      reaped[#reaped + 1] = id
    else
      ended(id, tonumber(ARGV[2]))
    end
    landed(v[1], id .. ':' .. (v[3] or ''), 0, 0, false)
    leave(v[1], v[2], id)
  end
end
return reaped
