-- The lane of a conversation: a list of record ids, whose head stays until its send ends. While the head waits for its
-- turn, the conversation is a member of out:<number>:<priority>; while the head is being sent it is in neither set:
-- with a score there, `next` and `reap` race and messages are sent twice.

-- A lane that contains a reply is urgent until the reply has left, with everything before it.
local function priority(conversation)
  if redis.call('HEXISTS', prefix .. 'conv:' .. conversation, 'urgent') == 1 then return '0' end
  return '1'
end

local function offer(number, conversation, at)
  redis.call('ZADD', prefix .. 'out:' .. number .. ':' .. priority(conversation), at, conversation)
  if at <= now then wake(prefix .. 'wake_out:' .. number) end
end

-- offered_at(number, conversation) -> when its head may go, nil while one is being sent.
local function offered_at(number, conversation)
  for _, urgency in ipairs({ '0', '1' }) do
    local at = redis.call('ZSCORE', prefix .. 'out:' .. number .. ':' .. urgency, conversation)
    if at then return tonumber(at) end
  end
end

local function withdraw(number, conversation)
  redis.call('ZREM', prefix .. 'out:' .. number .. ':0', conversation)
  redis.call('ZREM', prefix .. 'out:' .. number .. ':1', conversation)
end

-- remove_from_lane(conversation, id) -> whether the record was in the lane. `urgent` names the last urgent record; when
-- it leaves from behind others (removed by a status, or a fallback entered before it), the last urgent one of those
-- takes its place.
local function remove_from_lane(conversation, id)
  local lane, counters = prefix .. 'lane:' .. conversation, prefix .. 'conv:' .. conversation
  if redis.call('HGET', counters, 'urgent') == id then
    redis.call('HDEL', counters, 'urgent')
    local before = redis.call('LRANGE', lane, 0, (redis.call('LPOS', lane, id) or 0))
    for i = #before - 1, 1, -1 do
      local other = before[i]
      if redis.call('HGET', prefix .. 'record:' .. other, 'urgent') == '1' then
        redis.call('HSET', counters, 'urgent', other)
        break
      end
    end
  end
  return redis.call('LREM', lane, 1, id) == 1
end

-- leave_lane(number, conversation, id): remove a record that ended or is unknown; the next head may go.
local function leave_lane(number, conversation, id)
  remove_from_lane(conversation, id)
  withdraw(number, conversation)
  if redis.call('EXISTS', prefix .. 'lane:' .. conversation) == 1 then offer(number, conversation, now) end
end

-- Whether the head is a template that waits for the template quota. An urgent send that arrives now may answer a
-- customer who wrote meanwhile and so opened the service window.
local function waits_for_quota(lane)
  return redis.call('HEXISTS', prefix .. 'record:' .. redis.call('LINDEX', lane, 0), 'waits_for_quota') == 1
end

-- enter_lane(number, conversation, id, urgent, at_head): add a record to its lane. A new head does not wait for the
-- time of the former one.
local function enter_lane(number, conversation, id, urgent, at_head)
  local lane = prefix .. 'lane:' .. conversation
  local length = redis.call(at_head and 'LPUSH' or 'RPUSH', lane, id)
  if urgent then
    local counters = prefix .. 'conv:' .. conversation
    redis.call(at_head and 'HSETNX' or 'HSET', counters, 'urgent', id)
    refresh_ttl(counters, CONVERSATION_SECONDS)
  end
  if length == 1 then
    offer(number, conversation, now)
  elseif urgent then
    local at = offered_at(number, conversation)
    if at and (at_head or waits_for_quota(lane)) then at = now end
    if at then
      withdraw(number, conversation)
      offer(number, conversation, at)
    end
  end
end

-- drop_from_lane(number, conversation, id): remove a record that is not being sent from any place in its lane. If it
-- was the head, the next one does not wait for its retry.
local function drop_from_lane(number, conversation, id)
  local lane = prefix .. 'lane:' .. conversation
  local was_head = redis.call('LINDEX', lane, 0) == id
  if not remove_from_lane(conversation, id) or not was_head or not offered_at(number, conversation) then return end
  withdraw(number, conversation)
  if redis.call('EXISTS', lane) == 1 then offer(number, conversation, now) end
end
