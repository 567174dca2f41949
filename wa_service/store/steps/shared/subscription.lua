-- subscriber(id) -> a subscriber's place in the events stream: `key` is what it asked for and how it fares; `due` says
-- which conversations have something to be pushed, and when; `lane(c)` lists a conversation's events in order, by their
-- ids alone; `head(c)` counts the tries of the first one, and holds its lease.
local function subscriber(id)
  local s = { key = prefix .. 'subscription:' .. id, due = prefix .. 'push_due:' .. id }
  function s.lane(conversation) return prefix .. 'push_lane:' .. id .. ':' .. conversation end
  function s.head(conversation) return prefix .. 'push_head:' .. id .. ':' .. conversation end

  -- The conversation's first event is done with; the next one is due at once. The caller counts it down from `waiting`.
  function s.remove_first(conversation)
    redis.call('LPOP', s.lane(conversation))
    redis.call('DEL', s.head(conversation))
    if redis.call('EXISTS', s.lane(conversation)) == 1 then
      redis.call('ZADD', s.due, now, conversation)
    else
      redis.call('ZREM', s.due, conversation)
    end
  end

  -- Nothing waits any more. There are at most as many lanes as `push_take` lets events wait.
  function s.forget_lanes()
    for _, conversation in ipairs(redis.call('ZRANGE', s.due, 0, -1)) do
      redis.call('DEL', s.lane(conversation), s.head(conversation))
    end
    redis.call('DEL', s.due)
    redis.call('HDEL', s.key, 'waiting')
  end
  return s
end

-- push_wants(kinds, numbers, kind, conversation) -> whether a subscriber wants an event. kinds and numbers: names with a
-- space around each; empty for all of them. What concerns no conversation is of every number.
local function push_wants(kinds, numbers, kind, conversation)
  local function has(names, name)
    return not names or names == '' or string.find(names, ' ' .. name .. ' ', 1, true) ~= nil
  end
  return has(kinds, kind) and (conversation == '' or has(numbers, string.match(conversation, '^[^:]*')))
end

-- push_wait(score) -> ms until a time to come. Events and subscribers wait eleven hours at most; what lies further ahead
-- was written before the clock was turned back, and has come.
local LONGEST_PUSH_PAUSE = 39600000
local function push_wait(score)
  local ms = tonumber(score) - now
  if ms <= 0 or ms > LONGEST_PUSH_PAUSE then return 0 end
  return ms
end
