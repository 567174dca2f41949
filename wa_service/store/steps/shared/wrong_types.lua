-- A key of a wrong type, left by another version or written by hand, must not stop other conversations: it is renamed,
-- and a dead letter reports it.
local CONVERSATION_TYPES = { mailbox = 'zset', conv = 'hash', lane = 'list', contact = 'hash', pair = 'string',
  marketing = 'zset' }

local function set_aside(key, family, expected, conversation, retention)
  local found = redis.call('TYPE', key).ok
  if found == 'none' or found == expected then return false end
  local aside = prefix .. 'wrong_type:' .. conversation
  redis.call('RENAME', key, aside)
  redis.call('EXPIRE', aside, retention)
  add_dead_letter(redis.sha1hex(key .. now), { kind = 'malformed', tries = 0, event = '',
    reason = 'its ' .. family .. ' key had the wrong type ' .. found, conversation = conversation,
    number = string.match(conversation, '^[^:]*') }, retention)
  return true
end

-- set_aside_wrong_types(conversation, retention) -> whether there were such keys.
local function set_aside_wrong_types(conversation, retention)
  local any = false
  for family, expected in pairs(CONVERSATION_TYPES) do
    local key = prefix .. family .. ':' .. conversation
    if set_aside(key, family, expected, conversation, retention) then
      any = true
      -- Leases from before are no longer valid.
      if family == 'conv' then redis.call('HSET', key, 'token', now) end
    end
  end
  return any
end

-- without_wrong_types(conversation, retention, work, ...) -> what work(...) returns; retried once when keys were set
-- aside.
local function without_wrong_types(conversation, retention, work, ...)
  local results = { pcall(work, ...) }
  if results[1] then return unpack(results, 2, 6) end
  if not set_aside_wrong_types(conversation, retention) then error(results[2]) end
  return work(...)
end
