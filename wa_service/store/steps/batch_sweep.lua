-- Cancel the unsent items of a canceled batch, `count` of them from where the last call ended. Of an item without a
-- record only the recipient is kept. Items that are being sent, or may have been, stay.
-- Return 1 while there are more.
-- args: id count:number retention:number
-- include: allow_when_full clock lifetime wake thread events lane batch record quota batch_items
local key = batch_key(id)
local v = redis.call('HMGET', key, 'swept', 'stored', 'state')
if v[3] ~= 'canceled' then
  redis.call('SREM', prefix .. 'batches_canceled', id)
  return 0
end
local from, stored = tonumber(v[1]), tonumber(v[2])
local up_to = math.min(from + count, stored)
local indexes = {}
for index = from, up_to - 1 do indexes[#indexes + 1] = index end
local items = #indexes > 0 and redis.call('HMGET', items_key(id), unpack(indexes)) or {}
local stripped, bytes = {}, 0
for i, raw in ipairs(items) do
  if raw then
    local item = item_record(id, indexes[i])
    local record = redis.call('HMGET', record_key(item), 'status', 'n', 'c')
    if not record[1] then
      stripped[#stripped + 1] = indexes[i]
      stripped[#stripped + 1] = string.match(raw, '^([^\n]*)')
      bytes = bytes + #raw - #stripped[#stripped]
    elseif record[1] == 'scheduled' or (record[1] == 'queued' and not redis.call('ZSCORE', prefix .. 'busy', item)) then
      end_item(item, record[2], record[3], retention)
    end
  end
end
if #stripped > 0 then
  redis.call('HSET', items_key(id), unpack(stripped))
  redis.call('HINCRBY', key, 'bytes', -bytes)
  redis.call('HINCRBY', key, 'n:scheduled', -#stripped / 2)
  redis.call('HINCRBY', key, 'n:canceled', #stripped / 2)
  finish_batch(id)
end
redis.call('HSET', key, 'swept', up_to)
if up_to < stored then return 1 end
for _, field in ipairs(redis.call('HKEYS', key)) do
  local number = string.match(field, '^number:(.*)$')
  if number then
    redis.call('DEL', wait_key(id, number), later_key(id, number))
    redis.call('ZREM', batches_key(number), id)
  end
end
redis.call('EXPIRE', key, retention)
redis.call('EXPIRE', items_key(id), retention)
redis.call('EXPIRE', refused_key(id), retention)
redis.call('SREM', prefix .. 'batches_canceled', id)
return 0
