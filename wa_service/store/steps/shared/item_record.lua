-- write_item_record(batch, index, send, retention): give an item that waits in its batch a record, so that it can end.
local function write_item_record(batch, index, send, retention)
  local id = item_record(batch, index)
  local conversation = conversation_of(send.n, send.who)
  redis.call('HSET', record_key(id), 'v', 1, 'n', send.n, 'c', conversation, 'to', send.to, 'type', send.type,
    'batch', batch, 'batch_index', index, 'counted', 'scheduled', 's:scheduled', wall)
  if send.tag then
    redis.call('HSET', record_key(id), 'tag', send.tag)
    note_tag(send.tag, id, retention)
  end
  redis.call('ZADD', prefix .. 'sends', wall, id)
  return id, conversation
end
