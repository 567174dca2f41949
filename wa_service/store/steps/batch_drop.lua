-- Delete a batch of which only a part could be stored, so that a repeated request begins anew.
-- Return 1, or 0 where the batch was started.
-- args: id
-- include: allow_when_full batch
local key = batch_key(id)
if redis.call('HGET', key, 'state') ~= 'loading' then return 0 end
for _, field in ipairs(redis.call('HKEYS', key)) do
  local number = string.match(field, '^number:(.*)$')
  if number then redis.call('DEL', wait_key(id, number), later_key(id, number)) end
end
redis.call('DEL', key, items_key(id), refused_key(id))
redis.call('ZREM', prefix .. 'batches', id)
return 1
