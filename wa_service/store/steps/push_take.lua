-- Acknowledge events that were pushed to a subscriber, then lease the next ones, in one step, so that a busy subscriber
-- costs one step for many events. taken: conversation and token of each acknowledged push in turn (ignored where the
-- lease was lost) · answer: the last HTTP answer, '' if nothing was sent: that is no success of the subscriber ·
-- meta_kinds: those that Meta's form has.
-- Events that wait in the subscriber's lanes come first. If they are fewer than `count`, the stream is read on from the
-- cursor; events that must wait for an earlier one of their conversation go into its lane (ids only, at most `window`).
-- A subscriber that is down gets one event at a time, at `retry_at`, and a new one first. None gets an event before
-- `wait_until`, the end of its Retry-After.
-- Return {ms until the next call (-1: until there are new events), state, {1 or 0 for each of `taken`: whether it was
-- written}, {event id, conversation, token, tries, kind, json, the conversation it was joined into or itself, that
-- contact's addresses}...}; state is "none" where there is no such subscription.
-- args: subscription consumer lease_ms:number count:number window:number meta_kinds answer taken...
-- include: allow_when_full clock subscription
local EVENTS_PER_READ = 32
local MOST_READS = 32
local JOINED_MS = 1000
local s = subscriber(subscription)

-- Collect arguments for one command each: in a script, the call costs more than the work.
local heads, ended, continued, due = {}, {}, {}, {}
local function run(command, key, parts)
  if #parts > 0 then redis.call(command, key, unpack(parts)) end
end

local written, has_probe = {}, false
local probe = redis.call('HGET', s.key, 'probe')
for i = 1, #taken, 2 do
  local conversation, lane = taken[i], s.lane(taken[i])
  local is_holder = redis.call('HGET', s.head(conversation), 'token') == taken[i + 1]
  written[#written + 1] = is_holder and 1 or 0
  if is_holder then
    has_probe = has_probe or taken[i + 1] == probe
    heads[#heads + 1] = s.head(conversation)
    redis.call('LPOP', lane)
    if redis.call('EXISTS', lane) == 1 then
      continued[#continued + 1], continued[#continued + 2] = now, conversation
    else
      ended[#ended + 1] = conversation
    end
  end
end
if #heads > 0 then
  redis.call('DEL', unpack(heads))
  run('ZREM', s.due, ended)
  run('ZADD', s.due, continued)
  redis.call('HINCRBY', s.key, 'waiting', -#heads)
  redis.call('HINCRBY', s.key, 'taken', #heads)
  if answer ~= '' then
    redis.call('HSET', s.key, 'last_answer', answer, 'last_answer_at', wall)
    -- Not `wait_until`: the push may have begun before the subscriber sent its Retry-After.
    redis.call('HDEL', s.key, 'failures', 'failing_since', 'level', 'probe', 'retry_at')
  elseif has_probe then
    redis.call('HDEL', s.key, 'probe', 'retry_at') -- the next event is the probe
  end
end

local v = redis.call('HMGET', s.key, 'state', 'cursor', 'kinds', 'numbers', 'waiting', 'retry_at', 'level', 'token',
  'form', 'wait_until')
if not v[1] then return { -1, 'none', written } end
if v[1] ~= 'active' then return { -1, v[1], written } end
local waiting, level = tonumber(v[5] or 0), tonumber(v[7] or 0)
-- Never reuse a token, not even after a failover that lost some (see `compare_epoch`): made from the time, in µs, as
-- more than one in a ms may be given.
local token = math.max(tonumber(v[8] or 0), now * 1000)
local wait = math.max(push_wait(v[6] or 0), push_wait(v[10] or 0))
if wait > 0 then return { wait, v[1], written } end
if level > 0 then count = math.min(count, 1) end

local answers, soonest = { 0, v[1], written }, -1
local cursor, is_changed, kinds = v[2], false, kinds_of(v[3], v[9], meta_kinds)

-- Lease a conversation's first event, an entry of the stream, and add it to the answers. If the contact has an older
-- event of a conversation that was joined into this one, that goes first: look again in JOINED_MS.
local function hand_out(conversation, event, tries)
  local id = event[1]
  local current = redis.call('GET', prefix .. 'joined:' .. conversation) or conversation
  local contact = redis.call('HMGET', prefix .. 'contact:' .. current, 'addresses', 'joined')
  for other in string.gmatch(contact[2] or '', '%S+') do
    local first = other ~= conversation and redis.call('LINDEX', s.lane(other), 0)
    if first and is_older(first, id) then
      due[#due + 1], due[#due + 2] = now + JOINED_MS, conversation
      if soonest < 0 or JOINED_MS < soonest then soonest = JOINED_MS end
      return
    end
  end
  token = token + 1
  redis.call('HSET', s.head(conversation), 'token', token, 'lease', now + lease_ms, 'consumer', consumer)
  due[#due + 1], due[#due + 2] = now + lease_ms, conversation
  if level > 0 then redis.call('HSET', s.key, 'retry_at', now + lease_ms, 'probe', token) end
  local data = event[2][6]
  if string.find(data, '"left_out":true', 1, true) then
    data = redis.call('HGET', prefix .. 'large_event:' .. id, 'event') or data
  end
  answers[#answers + 1] = { id, conversation, token, tries, event[2][2], data, current, contact[1] or '' }
end

-- The events in lanes, by due time. While a subscriber is down, the first event is tried even before it is due.
local function from_lanes()
  local candidates = redis.call('ZRANGE', s.due, 0, 63, 'WITHSCORES')
  for i = 1, #candidates, 2 do
    if #answers - 3 >= count then break end
    local conversation, ms = candidates[i], push_wait(candidates[i + 1])
    local head = (ms == 0 or level > 0) and redis.call('HMGET', s.head(conversation), 'lease', 'tries')
    if head then ms = push_wait(head[1] or 0) end
    if ms > 0 then
      if soonest < 0 or ms < soonest then soonest = ms end
    else
      local id = redis.call('LINDEX', s.lane(conversation), 0)
      local event = id and redis.call('XRANGE', prefix .. 'events', id, id)[1]
      if event and push_wants(kinds, v[4], event) then
        hand_out(conversation, event, tonumber(head[2] or 0))
      else -- erased, trimmed by the retention, or of a kind or number that the subscriber no longer wants
        s.remove_first(conversation)
        waiting, is_changed, soonest = waiting - 1, true, 1
      end
    end
  end
end

-- New events. The first one of a conversation without a lane is leased at once.
local function from_stream()
  for read = 1, MOST_READS do
    local room = count - (#answers - 3)
    if room <= 0 or waiting >= window then break end
    local most = math.max(EVENTS_PER_READ, room)
    local entries = redis.call('XRANGE', prefix .. 'events', '(' .. cursor, '+', 'COUNT', most)
    for _, entry in ipairs(entries) do
      if #answers - 3 >= count then break end
      local conversation = entry[2][4]
      cursor, is_changed = entry[1], true
      if push_wants(kinds, v[4], entry) then
        waiting = waiting + 1
        if redis.call('RPUSH', s.lane(conversation), cursor) == 1 then hand_out(conversation, entry, 0) end
      end
    end
    if #entries < most then break end
    if read == MOST_READS then soonest = 1 end
  end
end

-- A subscriber that is down is probed with a new event if there is one: it may refuse those in lanes for what they are.
if level > 0 then
  from_stream()
  from_lanes()
else
  from_lanes()
  from_stream()
end
if is_changed then redis.call('HSET', s.key, 'cursor', cursor, 'waiting', waiting) end
run('ZADD', s.due, due)
if #answers > 3 then redis.call('HSET', s.key, 'token', token) else answers[1] = soonest end
return answers
