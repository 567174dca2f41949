-- Write a failed push, if the lease is still held (`push_take` writes successful ones).
-- outcome: "failed", or "gone" (410: pause the subscription) · delay_ms: until this event is retried ·
-- requested_ms: the subscriber's Retry-After, until when it gets no event.
-- An event that failed `most_tries` times, while others succeeded, is dropped. After `few` failures in a row the
-- subscriber counts as down and gets one event at a time, with the `pauses` (ms) as backoff; these tries do not count
-- for the event, and after a success the other events are due. After `longest_ms` without a success the subscription
-- is paused, with an event in the stream. A push that began before the last resume says nothing about the subscriber
-- as it is now.
-- Return {1, or 0 where the lease was lost; "retried", "dropped" or "paused"}.
-- args: subscription conversation token outcome delay_ms:number requested_ms:number most_tries:number answer few:number longest_ms:number retention:number pauses:number...
-- include: allow_when_full clock lifetime thread events subscription
local s = subscriber(subscription)
local v = redis.call('HMGET', s.key, 'state', 'failures', 'failing_since', 'level', 'probe', 'resumed_after',
  'wait_until')
if not v[1] or redis.call('HGET', s.head(conversation), 'token') ~= token then return { 0, '' } end
redis.call('HSET', s.key, 'last_answer', answer, 'last_answer_at', wall)

local function pause_for(reason)
  if v[1] ~= 'active' then return { 1, 'retried' } end
  redis.call('HSET', s.key, 'state', 'paused', 'paused_reason', reason, 'paused_at', wall)
  local event = { subscription = subscription, state = 'paused', reason = reason, last_answer = answer }
  append_event('push', '', cjson.encode(event), retention)
  return { 1, 'paused' }
end

local failures, level, since = tonumber(v[2] or 0) + 1, tonumber(v[4] or 0), tonumber(v[3] or now)
local is_down = level > 0
local tries = redis.call('HINCRBY', s.head(conversation), 'tries', is_down and 0 or 1)
redis.call('HDEL', s.head(conversation), 'token', 'lease')
redis.call('ZADD', s.due, is_down and now or now + delay_ms, conversation)
if tonumber(token) <= tonumber(v[6] or 0) then return { 1, 'retried' } end
if outcome == 'gone' then return pause_for('gone') end
redis.call('HSET', s.key, 'failures', failures, 'failing_since', since)
if now - since >= longest_ms then return pause_for('failing') end
if (level == 0 and failures >= few) or (level > 0 and v[5] == token) then
  level = math.min(level + 1, #pauses)
  redis.call('HSET', s.key, 'level', level, 'retry_at', now + pauses[level])
end
if requested_ms > push_wait(v[7] or 0) then redis.call('HSET', s.key, 'wait_until', now + requested_ms) end
if level == 0 and tries >= most_tries then
  s.remove_first(conversation)
  redis.call('HINCRBY', s.key, 'waiting', -1)
  redis.call('HINCRBY', s.key, 'dropped', 1)
  return { 1, 'dropped' }
end
return { 1, 'retried' }
