-- answered:<conversation>: the times of the last automatic replies (ms, newest first), as many as the limit allows.
local REPLY_LIMIT_PAUSE_MS = 1800000 -- ends a loop of two machines that answer each other

-- begin_pause(conversation, reason, note, pause_ms, retention): pause automatic replies, and append an event. A longer
-- pause stays.
local function begin_pause(conversation, reason, note, pause_ms, retention)
  local contact = prefix .. 'contact:' .. conversation
  if redis.call('EXISTS', contact) == 0 then return end
  local before = tonumber(redis.call('HGET', contact, 'paused_until') or 0)
  local until_ms = math.max(before, wall + pause_ms)
  redis.call('HSET', contact, 'paused_until', until_ms)
  append_event('pause', conversation, cjson.encode({ reason = reason, note = note ~= '' and note or nil,
    ['until'] = math.floor(until_ms / 1000) }), retention)
end

-- over_reply_limit(conversation, most, window_ms) -> whether one more reply is over the limit; else count it. most: 0
-- for no limit.
local function over_reply_limit(conversation, most, window_ms)
  if most == 0 then return false end
  local answered = prefix .. 'answered:' .. conversation
  local oldest = redis.call('LINDEX', answered, most - 1)
  if oldest and now - tonumber(oldest) < window_ms then
    redis.call('DEL', answered)
    return true
  end
  if redis.call('LPUSH', answered, now) > most then redis.call('LTRIM', answered, 0, most - 1) end
  if redis.call('PTTL', answered) < window_ms then redis.call('PEXPIRE', answered, 2 * window_ms) end
  return false
end
