-- bury(id, kind, reason, tries, n, c, event, keep): a dead letter. At most 10,000 are kept, the oldest go first.
local function bury(id, kind, reason, tries, n, c, event, keep)
  redis.call('HSET', 'wa:dead:' .. id, 'v', 1, 'kind', kind, 'reason', reason, 'tries', tries,
    'time', now, 'n', n, 'c', c, 'event', event)
  redis.call('EXPIRE', 'wa:dead:' .. id, keep)
  redis.call('ZADD', 'wa:dead', now, id)
  redis.call('ZREMRANGEBYSCORE', 'wa:dead', '-inf', now - keep * 1000)
  local over = redis.call('ZCARD', 'wa:dead') - 10000
  if over > 0 then
    for _, old in ipairs(redis.call('ZRANGE', 'wa:dead', 0, over - 1)) do
      redis.call('DEL', 'wa:dead:' .. old)
      redis.call('ZREM', 'wa:dead', old)
    end
  end
end
