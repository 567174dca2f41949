-- Hand out events that a subscriber is to be sent, each under a lease: first move what is new in the stream from the
-- subscriber's cursor into its lanes (ids only, at most `window` of them), then take the first event of the conversations
-- that are due. A subscriber that fails again and again is sent one event at a time, each at `retry_at`.
-- Return {ms until asking again is worth it (-1: until something is new), state, {event id, conversation, token, tries,
-- kind, json, whose conversation it is by now, that contact's addresses}...}; state is "none" where there is no such subscription.
-- args: subscription lease_ms:number count:number window:number
-- include: allow_when_full clock subscription
local EVENTS_PER_READ = 100
local MOST_READS = 10
local s = subscriber(subscription)
local v = redis.call('HMGET', s.key, 'state', 'cursor', 'kinds', 'numbers', 'waiting', 'retry_at', 'level')
if not v[1] then return { -1, 'none' } end
if v[1] ~= 'active' then return { -1, v[1] } end
local waiting, level = tonumber(v[5] or 0), tonumber(v[7] or 0)
local wait = push_wait(v[6] or 0)
if wait > 0 then return { wait, v[1] } end

-- kinds and numbers: names with a space around each; empty for all of them.
local function wanted(names, name) return not names or names == '' or string.find(names, ' ' .. name .. ' ', 1, true) end

local cursor, news = v[2], false
for _ = 1, MOST_READS do
  if waiting >= window then break end
  local entries = redis.call('XRANGE', prefix .. 'events', '(' .. cursor, '+', 'COUNT', EVENTS_PER_READ)
  for _, entry in ipairs(entries) do
    local kind, conversation = entry[2][2], entry[2][4]
    cursor, news = entry[1], true
    if wanted(v[3], kind) and (conversation == '' or wanted(v[4], string.match(conversation, '^[^:]*'))) then
      if redis.call('RPUSH', s.lane(conversation), cursor) == 1 then redis.call('ZADD', s.due, now, conversation) end
      waiting = waiting + 1
    end
  end
  if #entries < EVENTS_PER_READ then break end
end
if news then redis.call('HSET', s.key, 'cursor', cursor, 'waiting', waiting) end

-- What is due stands first, what is leased or waits to be tried again behind it. While a subscriber fails, whatever stands
-- first is tried, however long that event was to wait.
local answer, soonest = { 0, v[1] }, -1
local candidates = redis.call('ZRANGE', s.due, 0, 63, 'WITHSCORES')
if level > 0 then count = 1 end
for i = 1, #candidates, 2 do
  if #answer - 2 >= count then break end
  local conversation, ms = candidates[i], push_wait(candidates[i + 1])
  local lease = push_wait(redis.call('HGET', s.head(conversation), 'lease') or 0)
  if lease > 0 or (ms > 0 and level == 0) then
    ms = math.max(ms, lease)
    if soonest < 0 or ms < soonest then soonest = ms end
  else
    local id = redis.call('LINDEX', s.lane(conversation), 0)
    local event = id and redis.call('XRANGE', prefix .. 'events', id, id)[1]
    if not event then -- erased, or older than the retention
      s.remove_first(conversation)
      soonest = 1
    else
      local token = redis.call('HINCRBY', s.key, 'token', 1)
      redis.call('HSET', s.head(conversation), 'token', token, 'lease', now + lease_ms)
      redis.call('ZADD', s.due, now + lease_ms, conversation)
      if level > 0 then redis.call('HSET', s.key, 'retry_at', now + lease_ms, 'probe', token) end
      local tries = tonumber(redis.call('HGET', s.head(conversation), 'tries') or 0)
      local elder = redis.call('GET', prefix .. 'joined:' .. conversation) or conversation
      local addresses = redis.call('HGET', prefix .. 'contact:' .. elder, 'addresses') or ''
      local data = redis.call('HGET', prefix .. 'large_event:' .. id, 'event') or event[2][6]
      answer[#answer + 1] = { id, conversation, token, tries, event[2][2], data, elder, addresses }
    end
  end
end
if #answer == 2 then answer[1] = soonest end
return answer
