-- End claims that expired without an outcome. Meta may have the message: its status becomes unknown, it leaves its
-- lane, and `settle` decides later.
-- Return the ids.
-- args: settle_ms:number retention:number
-- include: allow_when_full clock lifetime wake thread events lane batch record rate
local reaped, busy = {}, prefix .. 'busy'
for _, id in ipairs(redis.call('ZRANGEBYSCORE', busy, '-inf', now, 'LIMIT', 0, 100)) do
  redis.call('ZREM', busy, id)
  local v = redis.call('HMGET', record_key(id), 'n', 'c', 'token', 'consumer')
  local number, conversation = v[1], v[2]
  if number then
    redis.call('SREM', prefix .. 'claims:' .. (v[4] or ''), id) -- a later claim of another consumer is not affected
    if rank(id) < RANK.accepted then
      raise_status(id, 'unknown', wall)
      redis.call('HSET', record_key(id), 'status', 'unknown')
      redis.call('ZADD', prefix .. 'unknown', now + settle_ms, id)
      append_send_event(id, conversation, 'unknown', retention)
      notify_caller(id)
      reaped[#reaped + 1] = id
    else
      end_record(id, retention)
    end
    count_landed(number, id .. ':' .. (v[3] or ''), 0, 0, false)
    leave_lane(number, conversation, id)
    count_in_batch(id)
  end
end
return reaped
