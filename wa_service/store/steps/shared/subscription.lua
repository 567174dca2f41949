-- subscriber(id) -> the keys of a subscription: `key` is its settings and state, `due` the conversations with events to
-- push by time, `lane(c)` the ids of a conversation's events in order, `head(c)` the tries and lease of the first one.
local function subscriber(id)
  local s = { key = prefix .. 'subscription:' .. id, due = prefix .. 'push_due:' .. id }
  function s.lane(conversation) return prefix .. 'push_lane:' .. id .. ':' .. conversation end
  function s.head(conversation) return prefix .. 'push_head:' .. id .. ':' .. conversation end

  -- Remove the conversation's first event; the next one is due at once. The caller decrements `waiting`.
  function s.remove_first(conversation)
    redis.call('LPOP', s.lane(conversation))
    redis.call('DEL', s.head(conversation))
    if redis.call('EXISTS', s.lane(conversation)) == 1 then
      redis.call('ZADD', s.due, now, conversation)
    else
      redis.call('ZREM', s.due, conversation)
    end
  end

  -- Delete all lanes. `push_take` bounds how many events, and so how many lanes, there are.
  function s.forget_lanes()
    for _, conversation in ipairs(redis.call('ZRANGE', s.due, 0, -1)) do
      redis.call('DEL', s.lane(conversation), s.head(conversation))
    end
    redis.call('DEL', s.due)
    redis.call('HDEL', s.key, 'waiting')
  end
  return s
end

-- kinds_of(kinds, form, meta_kinds) -> the kinds that a subscriber gets. All: in Meta's form, those that have it.
local function kinds_of(kinds, form, meta_kinds)
  if form == 'meta' and (not kinds or kinds == '') then return meta_kinds end
  return kinds
end

-- number_of(conversation, data) -> our number that an event is of; '' if it is of none, or of all. An event without a
-- conversation names it in its JSON, before what Meta sent.
local function number_of(conversation, data)
  if conversation ~= '' then return string.match(conversation, '^[^:]*') end
  return string.match(data, '^{[^{}]-"phone_number_id":"([^"]*)"') or ''
end

-- push_wants(kinds, numbers, event) -> whether a subscriber wants an entry of the stream. kinds and numbers: names with
-- a space around each; empty for all. An event of no number matches every number.
local function push_wants(kinds, numbers, event)
  local function has(names, name)
    return not names or names == '' or string.find(names, ' ' .. name .. ' ', 1, true) ~= nil
  end
  if not has(kinds, event[2][2]) then return false end
  if not numbers or numbers == '' then return true end
  local number = number_of(event[2][4], event[2][6])
  return number == '' or has(numbers, number)
end

-- is_older(id, other) -> whether an event was stored before another one.
local function is_older(id, other)
  local ms, number = string.match(id, '^(%d+)-(%d+)$')
  local other_ms, other_number = string.match(other, '^(%d+)-(%d+)$')
  if ms ~= other_ms then return tonumber(ms) < tonumber(other_ms) end
  return tonumber(number) < tonumber(other_number)
end

-- push_wait(score) -> ms until that time. Events and subscribers wait eleven hours at most; a time further ahead was
-- written before the clock was set back, and counts as past.
local LONGEST_PUSH_PAUSE = 39600000
local function push_wait(score)
  local ms = tonumber(score) - now
  if ms <= 0 or ms > LONGEST_PUSH_PAUSE then return 0 end
  return ms
end
