-- end_item(id, number, conversation, retention): cancel an item that is not being sent.
local function end_item(id, number, conversation, retention)
  drop_from_lane(number, conversation, id)
  redis.call('ZREM', prefix .. 'scheduled:' .. number, id)
  release_reservation(id, conversation)
  redis.call('HSET', record_key(id), 'status', 'canceled', 'rank', RANK.canceled, 's:canceled', wall)
  end_record(id, retention)
  count_in_batch(id)
end

-- return_to_batch(number, conversation, id, batch, retention) -> whether the lane's head left the lane because its
-- batch is paused (the item returns to the front of the batch) or canceled.
local function return_to_batch(number, conversation, id, batch, retention)
  local state = redis.call('HGET', batch_key(batch), 'state')
  if state == 'canceled' then
    end_item(id, number, conversation, retention)
    leave_lane(number, conversation, id)
    return true
  end
  if state ~= 'paused' then return false end
  release_reservation(id, conversation)
  redis.call('HDEL', record_key(id), 'reservation', 'held', 'held_at', 'held_until')
  leave_lane(number, conversation, id)
  redis.call('HSET', record_key(id), 'status', 'scheduled', 'rank', RANK.scheduled)
  wait_in_batch(batch, number, redis.call('HGET', record_key(id), 'batch_index'), 0)
  count_in_batch(id)
  return true
end
