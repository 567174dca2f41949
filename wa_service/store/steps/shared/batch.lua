-- A batch: many sends that are requested, watched, paused and canceled together.
--   batch:<id>                 its state, and its counts by status
--   batch_items:<id>           the content of each item that has not ended, by index
--   batch_refused:<id>         why items were refused
--   batch_wait:<id>:<number>   indexes that wait, in order
--   batch_later:<id>:<number>  indexes that may not leave before a time
-- Only a few items at a time are in lanes (feed_batches), so pausing a batch sets one flag and blocks no other send.
local function batch_key(batch) return prefix .. 'batch:' .. batch end
local function items_key(batch) return prefix .. 'batch_items:' .. batch end
local function refused_key(batch) return prefix .. 'batch_refused:' .. batch end
local function wait_key(batch, number) return prefix .. 'batch_wait:' .. batch .. ':' .. number end
local function later_key(batch, number) return prefix .. 'batch_later:' .. batch .. ':' .. number end
local function batches_key(number) return prefix .. 'batches:' .. number end

-- look_at(batch, number, at, earlier): look at a batch from a time of the server's (ms) on, 0: before the others;
-- earlier: unless it is looked at before. The score has the store's own time, so that a clock that is set delays no
-- batch; items wait for the server's, so look once a minute.
local LONGEST_LOOK_MS = 60000
local function look_at(batch, number, at, earlier)
  local score = at > 0 and now + math.min(LONGEST_LOOK_MS, math.max(0, at - wall)) or 0
  if earlier then
    redis.call('ZADD', batches_key(number), 'LT', score, batch)
  else
    redis.call('ZADD', batches_key(number), score, batch)
  end
end

-- wait_in_batch(batch, number, index, at): return an item to its batch: to the front (at 0), or until a time (ms).
local function wait_in_batch(batch, number, index, at)
  local key = at > 0 and later_key(batch, number) or wait_key(batch, number)
  if at > 0 then redis.call('ZADD', key, at, index) else redis.call('LPUSH', key, index) end
  local left = redis.call('TTL', items_key(batch))
  if left > 0 then redis.call('EXPIRE', key, left) end
end

-- has_waiting_items(number) -> whether items of batches wait for it. A paused batch is not in the number's list; the
-- list of a former number, which nobody feeds, is deleted here once no batch has such items or all have expired.
local function has_waiting_items(number)
  for _, batch in ipairs(redis.call('ZRANGE', prefix .. 'batches', 0, -1)) do
    local waits = redis.call('EXISTS', wait_key(batch, number), later_key(batch, number)) > 0
    if waits and redis.call('HGET', batch_key(batch), 'state') ~= 'loading' then return true end
  end
  redis.call('DEL', batches_key(number))
  return false
end

-- waiting_bytes(caller) -> bytes of an API key's messages that have not left, in batches and outside them.
local MOST_UNSENT_BYTES = 67108864
local function waiting_bytes(caller)
  local of_caller, bytes = prefix .. 'batches_of:' .. caller, tonumber(redis.call('HGET', prefix .. 'unsent_bytes', caller) or 0)
  for _, batch in ipairs(redis.call('SMEMBERS', of_caller)) do
    local v = redis.call('HMGET', batch_key(batch), 'state', 'bytes')
    if v[1] and v[1] ~= 'done' then
      bytes = bytes + tonumber(v[2] or 0)
    else
      redis.call('SREM', of_caller, batch)
    end
  end
  return bytes
end

-- forget_item(batch, index) -> whether the item's content existed; it is deleted.
local function forget_item(batch, index)
  local bytes = redis.call('HSTRLEN', items_key(batch), index)
  if bytes > 0 and redis.call('EXISTS', batch_key(batch)) == 1 then redis.call('HINCRBY', batch_key(batch), 'bytes', -bytes) end
  return redis.call('HDEL', items_key(batch), index) == 1
end

-- An item's record id is built from its batch and index, so that no item gets two records.
local function item_record(batch, index) return batch .. string.format('%08x', index) end

-- item_of(id) -> the batch and index of an item's record id, or nil.
local function item_of(id)
  local batch, index = string.match(id, '^(.+)(%x%x%x%x%x%x%x%x)$')
  return batch, batch and tostring(tonumber(index, 16))
end

-- read_item(facts) -> an item without its body, as `enqueue` and `resolve` take it.
local function read_item(facts)
  local send = cjson.decode(facts)
  local who = { group = '', numbers = {}, ids = {}, previous = {}, known_by = {}, leaves = false, change = false, at = 0 }
  for name, value in pairs(send.who) do who[name] = value end
  send.who = who
  return send
end

-- Meta withholds marketing from customers who received much of it (131049). A batch pauses at this many such answers
-- that are also this share of all answers.
local WITHHELD, WITHHELD_LEAST, WITHHELD_SHARE = 'failed:131049', 20, 0.2
local PAUSING = { ['failed:131048'] = 'spam_limited', ['failed:132015'] = 'template_paused',
  ['failed:132016'] = 'template_disabled' }
local OPEN = { scheduled = true, queued = true, unknown = true }
-- How items end that Meta never got.
local NOT_SENT = { canceled = true, ['failed:customer_stopped'] = true, ['failed:expired'] = true,
  ['failed:marketing_limit'] = true, ['failed:not_owner'] = true }
local function was_sent(what) return not OPEN[what] and not NOT_SENT[what] end
local function has_failed(what) return string.sub(what, 1, 7) == 'failed:' and not NOT_SENT[what] end

-- append_batch_event(batch, state, reason): append to the events stream, and to the list from which a worker logs and
-- counts.
local function append_batch_event(batch, state, reason)
  local v = redis.call('HMGET', batch_key(batch), 'tag', 'total', 'retention')
  local facts = { id = batch, state = state, reason = reason, tag = v[1] or nil, total = tonumber(v[2] or 0) }
  append_event('batch', '', cjson.encode(facts), tonumber(v[3] or 2592000))
  facts.tag = nil -- it may name a person
  local notices = prefix .. 'batch_notices'
  if redis.call('RPUSH', notices, cjson.encode(facts)) > 1000 then redis.call('LTRIM', notices, -1000, -1) end
end

local function pause_batch(batch, reason)
  local key = batch_key(batch)
  if redis.call('HGET', key, 'state') ~= 'running' then return false end
  redis.call('HSET', key, 'state', 'paused', 'reason', reason, 'paused_at', wall)
  if reason == 'quality_red' then redis.call('HSET', key, 'quality_red', wall) end -- see `number_quality`
  append_batch_event(batch, 'paused', reason)
  return true
end

-- Counts sent items since the batch started or was last resumed.
local function break_circuit(batch, key, what)
  if PAUSING[what] then return pause_batch(batch, PAUSING[what]) end
  local v = redis.call('HMGET', key, 'failed', 'ended', 'failed_before', 'ended_before', 'stop_share', 'stop_after',
    'n:' .. WITHHELD, 'withheld_before')
  local failed, ended = tonumber(v[1] or 0) - tonumber(v[3] or 0), tonumber(v[2] or 0) - tonumber(v[4] or 0)
  local withheld = tonumber(v[7] or 0) - tonumber(v[8] or 0)
  if v[5] and ended >= tonumber(v[6]) and failed >= ended * tonumber(v[5]) then
    pause_batch(batch, 'too_many_failed')
  elseif what == WITHHELD and withheld >= WITHHELD_LEAST and withheld >= ended * WITHHELD_SHARE then
    pause_batch(batch, 'withheld_by_meta')
  end
end

-- finish_batch(batch): mark the batch done once no item is scheduled, queued or unknown.
local function finish_batch(batch)
  local key = batch_key(batch)
  local left = redis.call('HMGET', key, 'n:scheduled', 'n:queued', 'n:unknown', 'state', 'retention')
  if tonumber(left[1] or 0) + tonumber(left[2] or 0) + tonumber(left[3] or 0) > 0 then return end
  for _, kept in ipairs({ key, items_key(batch), refused_key(batch) }) do redis.call('EXPIRE', kept, left[5]) end
  if left[4] == 'running' or left[4] == 'paused' then
    redis.call('HSET', key, 'state', 'done')
    append_batch_event(batch, 'done')
  end
end

-- count_item(batch, index, from, to): count a change of an item's status. An ended item's content is deleted; the batch
-- is done once all items have ended.
local function count_item(batch, index, from, to)
  local key = batch_key(batch)
  local state = redis.call('HGET', key, 'state')
  if not state then return end -- expired
  local open = from and OPEN[from]
  redis.call('HINCRBY', key, 'n:' .. from, -1)
  redis.call('HINCRBY', key, 'n:' .. to, 1)
  local failed, failed_before = has_failed(to), has_failed(from)
  if failed ~= failed_before then redis.call('HINCRBY', key, 'failed', failed and 1 or -1) end
  if was_sent(to) and not was_sent(from) then
    redis.call('HSETNX', key, 'first', wall)
    redis.call('HSET', key, 'last', wall)
    redis.call('HINCRBY', key, 'ended', 1)
  end
  local ends = open and not OPEN[to]
  if ends then forget_item(batch, index) end
  if failed and not failed_before then break_circuit(batch, key, to) end
  if ends then finish_batch(batch) end
end

-- count_in_batch(id): count the record's status if it belongs to a batch and the status changed.
local function count_in_batch(id)
  local record = prefix .. 'record:' .. id
  local v = redis.call('HMGET', record, 'batch', 'status', 'counted', 'batch_index', 'error')
  if not v[1] then return end
  local to = v[2]
  if to == 'sending' then to = 'queued' end
  if to == 'failed' then
    local failure = v[5] or ''
    to = 'failed:' .. (string.match(failure, '"code":(%-?%d+)') or string.match(failure, '"reason":"([%w_]+)"') or 'unknown')
  end
  if to == v[3] then return end
  redis.call('HSET', record, 'counted', to)
  count_item(v[1], v[4], v[3], to)
end
