-- add_dead_letter(id, letter, retention); letter: kind, reason, tries, number, conversation, event. The newest 10,000
-- are kept.
local function add_dead_letter(id, letter, retention)
  local all, key = prefix .. 'dead', prefix .. 'dead_letter:'
  redis.call('HSET', key .. id, 'v', 1, 'kind', letter.kind, 'reason', letter.reason, 'tries', letter.tries,
    'time', wall, 'n', letter.number, 'c', letter.conversation, 'event', letter.event)
  redis.call('EXPIRE', key .. id, retention)
  redis.call('ZADD', all, wall, id)
  redis.call('ZREMRANGEBYSCORE', all, '-inf', wall - retention * 1000)
  local over = redis.call('ZCARD', all) - 10000
  if over > 0 then
    for _, old in ipairs(redis.call('ZRANGE', all, 0, over - 1)) do
      redis.call('DEL', key .. old)
      redis.call('ZREM', all, old)
    end
  end
end
