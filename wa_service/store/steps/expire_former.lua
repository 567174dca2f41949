-- Fail expired sends of numbers that are no longer configured; of other numbers `next` does it.
-- Return {id, ...} of those that failed.
-- args: retention:number
-- include: allow_when_full clock lifetime wake thread events lane batch record quota
local failed = {}
for _, number in ipairs(redis.call('SMEMBERS', prefix .. 'former_numbers')) do
  local waiting = 0
  for _, out in ipairs({ prefix .. 'out:' .. number .. ':0', prefix .. 'out:' .. number .. ':1' }) do
    for _, conversation in ipairs(redis.call('ZRANGE', out, 0, 63)) do
      local id = redis.call('LINDEX', prefix .. 'lane:' .. conversation, 0)
      local expires = id and redis.call('HGET', record_key(id), 'expires')
      if not id then
        redis.call('ZREM', out, conversation)
      elseif not expires or tonumber(expires) <= wall then
        release_reservation(id, conversation)
        if expires then
          fail_record(id, conversation, '{"reason":"expired","title":"It waited longer than its ttl."}', retention)
        end
        leave_lane(number, conversation, id)
        failed[#failed + 1] = id
      else
        redis.call('ZADD', out, now + 60000, conversation) -- behind the others
      end
    end
    waiting = waiting + redis.call('ZCARD', out)
  end
  local scheduled = prefix .. 'scheduled:' .. number
  for _, id in ipairs(redis.call('ZRANGEBYSCORE', scheduled, '-inf', wall, 'LIMIT', 0, 64)) do
    local v = redis.call('HMGET', record_key(id), 'expires', 'c')
    if v[1] and tonumber(v[1]) > wall then
      redis.call('ZADD', scheduled, v[1], id)
    else
      redis.call('ZREM', scheduled, id)
      if v[1] then
        fail_record(id, v[2], '{"reason":"expired","title":"It waited longer than its ttl."}', retention)
        failed[#failed + 1] = id
      end
    end
  end
  waiting = waiting + redis.call('ZCARD', scheduled)
  if waiting == 0 and not has_waiting_items(number) and redis.call('EXISTS', prefix .. 'busy') == 0 then
    redis.call('SREM', prefix .. 'former_numbers', number)
  end
end
return failed
