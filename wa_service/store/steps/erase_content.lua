-- Delete a send's content, which names an erased person: at once, or after sending where it still waits.
-- Return 1 where it is deleted, 0 where it will be.
-- args: id
-- include: allow_when_full
local record = prefix .. 'record:' .. id
local status = redis.call('HGET', record, 'status')
if status == 'scheduled' or status == 'queued' or status == 'sending' or status == 'unknown' then
  redis.call('HSET', record, 'forgotten', 1)
  return 0
end
return redis.call('HDEL', record, 'body', 'fallback') > 0 and 1 or 0
