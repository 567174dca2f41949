-- Start, pause, resume or cancel a batch. change: start, pause, resume or cancel · reason: of the pause · refused: how
-- many items were refused (start) · seconds: the ttl of a started batch.
-- Return its state, or "" where there is no such batch.
-- args: id change reason refused seconds:number
-- include: allow_when_full clock lifetime wake thread events batch
local key = batch_key(id)
local v = redis.call('HMGET', key, 'state', 'at', 'n:scheduled', 'failed', 'ended', 'n:failed:131049')
local state = v[1]
if not state then return '' end
local function refresh_batch()
  local kept = { key, items_key(id), refused_key(id) }
  for _, field in ipairs(redis.call('HKEYS', key)) do
    local number = string.match(field, '^number:(.*)$')
    if number then
      kept[#kept + 1] = wait_key(id, number)
      kept[#kept + 1] = later_key(id, number)
    end
  end
  for _, name in ipairs(kept) do redis.call('EXPIRE', name, seconds) end
end
local function offer_batch(at)
  for _, field in ipairs(redis.call('HKEYS', key)) do
    local number = string.match(field, '^number:(.*)$')
    if number then
      look_at(id, number, at)
      if at <= wall then wake(prefix .. 'wake_out:' .. number) end
    end
  end
end
if change == 'start' and state == 'loading' then
  state = tonumber(v[3]) > 0 and 'running' or 'done'
  redis.call('HSET', key, 'state', state, 'refused', refused)
  refresh_batch()
  offer_batch(tonumber(v[2] or 0))
elseif change == 'pause' and (state == 'running') then
  pause_batch(id, reason)
  state = 'paused'
elseif change == 'resume' and state == 'paused' then
  redis.call('HSET', key, 'state', 'running', 'failed_before', v[4] or 0, 'ended_before', v[5] or 0, 'withheld_before',
    v[6] or 0)
  redis.call('HDEL', key, 'reason', 'paused_at')
  offer_batch(math.max(wall, tonumber(v[2] or 0)))
  append_batch_event(id, 'running', 'resumed')
  state = 'running'
elseif change == 'cancel' and (state == 'running' or state == 'paused' or state == 'loading') then
  redis.call('HSET', key, 'state', 'canceled', 'swept', 0)
  redis.call('SADD', prefix .. 'batches_canceled', id)
  append_batch_event(id, 'canceled')
  state = 'canceled'
end
return state
