-- STOP: a customer wants no marketing. The contact says since when and by what (`stopped_at`, `stopped_by`), or when they
-- took it back (`started_at`); of two words the later one holds. stop:<digest of an address> says the same and outlives
-- the contact; only outside can digests be made, so who is in `stops_unwritten` has some yet to be written.
local function stop_key(digest) return prefix .. 'stop:' .. digest end

-- The contact that says it: of a conversation that was joined, the elder's.
local function stop_contact_of(conversation)
  conversation = redis.call('GET', prefix .. 'joined:' .. conversation) or conversation
  return conversation, prefix .. 'contact:' .. conversation
end

local function tell_stop(conversation, word, by, at, retention)
  redis.call('SADD', prefix .. 'stops_unwritten', conversation)
  append_event('stop', conversation, cjson.encode({ marketing = word, by = by, time = at }), retention)
end

-- stop_contact(conversation, at, by, retention) -> whether they were not stopped before.
local function stop_contact(conversation, at, by, retention)
  local contact
  conversation, contact = stop_contact_of(conversation)
  if redis.call('EXISTS', contact) == 0 then return false end
  local v = redis.call('HMGET', contact, 'stopped_at', 'started_at')
  if at < tonumber(v[2] or 0) or at <= tonumber(v[1] or -1) then return false end
  redis.call('HSET', contact, 'stopped_at', at, 'stopped_by', by)
  redis.call('HDEL', contact, 'started_at')
  if not v[1] then tell_stop(conversation, 'stopped', by, at, retention) end
  return not v[1]
end

-- start_contact(conversation, at, by, was_stopped, retention) -> whether they were stopped before; was_stopped: a digest
-- says that they were.
local function start_contact(conversation, at, by, was_stopped, retention)
  local contact
  conversation, contact = stop_contact_of(conversation)
  if redis.call('EXISTS', contact) == 0 then return was_stopped end
  local stopped_at = redis.call('HGET', contact, 'stopped_at')
  if at < tonumber(stopped_at or 0) or not (stopped_at or was_stopped) then return false end
  redis.call('HDEL', contact, 'stopped_at', 'stopped_by')
  redis.call('HSET', contact, 'started_at', at)
  tell_stop(conversation, 'started', by, at, retention)
  return true
end

-- remember_stop(digest, at, by): the address is stopped, whatever becomes of its contact.
local function remember_stop(digest, at, by)
  if at > tonumber(redis.call('HGET', stop_key(digest), 'at') or -1) then
    redis.call('HSET', stop_key(digest), 'at', at, 'by', by)
  end
end

-- forget_stop(digest, at) -> whether the address was stopped, before then.
local function forget_stop(digest, at)
  local stopped_at = redis.call('HGET', stop_key(digest), 'at')
  return stopped_at and tonumber(stopped_at) <= at and redis.call('DEL', stop_key(digest)) == 1 or false
end

-- is_stopped(conversation, digests, retention) -> whether this customer, or one of these addresses, wants no marketing.
local function is_stopped(conversation, digests, retention)
  local _, contact = stop_contact_of(conversation)
  local v = redis.call('HMGET', contact, 'stopped_at', 'started_at')
  if v[1] then return true end
  for _, digest in ipairs(digests) do
    local stop = redis.call('HMGET', stop_key(digest), 'at', 'by')
    if stop[1] and not forget_stop(digest, tonumber(v[2] or -1)) then
      stop_contact(conversation, tonumber(stop[1]), stop[2], retention)
      return true
    end
  end
  return false
end

-- is_marketing(waba, template): the category that the template list tells of "<name> <language>"; where there is a list
-- and the template is not in it, it may be marketing as well: who wants none is not to find out. is_surely_marketing: only
-- where the list says so.
local function is_surely_marketing(waba, template)
  return template and redis.call('HGET', prefix .. 'categories:' .. waba, template) == 'MARKETING'
end

local function is_marketing(waba, template)
  if not template then return false end
  local categories = prefix .. 'categories:' .. waba
  local category = redis.call('HGET', categories, template)
  return category == 'MARKETING' or (not category and redis.call('EXISTS', categories) == 1)
end
