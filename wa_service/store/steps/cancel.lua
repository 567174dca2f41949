-- Cancel a send that is scheduled or queued and of which Meta cannot know. A repeat returns the same. If the send fell
-- back to a template, the template is canceled. An item that waits in its batch has no record yet and gets a canceled
-- one.
-- Return {"canceled", id}, {"sent", id} or {"missing", ""}.
-- args: id retention:number
-- include: allow_when_full clock lifetime wake thread events identity lane batch record tags quota item_record
local function read() return redis.call('HMGET', record_key(id), 'status', 'n', 'c', 'resent', 'fell_back', 'fallback_id') end
local v = read()
if v[5] then
  id = v[6]
  v = read()
end
local batch, index = item_of(id)
local waits = not v[1] and batch and redis.call('HGET', items_key(batch), index)
if waits and redis.call('HGET', batch_key(batch), 'state') ~= 'canceled' then
  write_item_record(batch, index, read_item(string.match(waits, '^[^\n]*')), retention)
  redis.call('HSET', record_key(id), 'status', 'scheduled')
  v = read()
elseif waits then
  return { 'canceled', id }
end
if not v[1] then return { 'missing', '' } end
if v[1] == 'canceled' then return { 'canceled', id } end
local number, conversation = v[2], v[3]
if v[1] == 'scheduled' then
  redis.call('ZREM', prefix .. 'scheduled:' .. number, id)
elseif v[1] == 'queued' and not v[4] and not redis.call('ZSCORE', prefix .. 'busy', id) then
  drop_from_lane(number, conversation, id)
  release_reservation(id, conversation)
else
  return { 'sent', id }
end
redis.call('HSET', record_key(id), 'status', 'canceled', 'rank', RANK.canceled, 's:canceled', wall)
redis.call('HDEL', record_key(id), 'fallback', 'who')
end_record(id, retention)
append_send_event(id, conversation, 'canceled', retention)
count_in_batch(id)
return { 'canceled', id }
