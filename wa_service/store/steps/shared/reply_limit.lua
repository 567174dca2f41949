-- answered:<conversation>: when the last answers were given (ms, newest first), as many as the limit allows in its time.
local QUIET_MS = 1800000 -- what two machines need to lose interest in each other

-- begin_quiet(conversation, reason, note, pause_ms, retention): nothing is answered by itself from now on, and it is told.
local function begin_quiet(conversation, reason, note, pause_ms, retention)
  local contact = prefix .. 'contact:' .. conversation
  if redis.call('EXISTS', contact) == 0 then return end
  redis.call('HSET', contact, 'paused_until', wall + pause_ms)
  if pause_ms <= 0 then return end
  append_event('pause', conversation, cjson.encode({ reason = reason, note = note ~= '' and note or nil,
    ['until'] = math.floor((wall + pause_ms) / 1000) }), retention)
end

-- over_reply_limit(conversation, most, window_ms) -> whether one answer more is too many; else it is counted. most: 0 for
-- no limit.
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
