-- STOP: a customer wants no marketing. The contact has since when and by what (`stopped_at`, `stopped_by`), or when
-- they took it back (`started_at`); `consent` decides which choice holds. stop:<digest of an address> has the same and
-- outlives the contact. Digests need a secret that scripts do not have: `stops_unwritten` lists contacts whose digests
-- are not written yet.
local function stop_key(digest) return prefix .. 'stop:' .. digest end

-- The contact of a conversation; of a joined one, that of the conversation it became.
local function stop_contact_of(conversation)
  conversation = redis.call('GET', prefix .. 'joined:' .. conversation) or conversation
  return conversation, prefix .. 'contact:' .. conversation
end

local function append_stop_event(conversation, choice, retention)
  redis.call('SADD', prefix .. 'stops_unwritten', conversation)
  local event = { marketing = choice.stop and 'stopped' or 'started', by = choice.by, time = choice.at }
  append_event('stop', conversation, cjson.encode(event), retention)
end

-- stop_contact(conversation, choice, retention) -> whether the customer was not stopped before.
local function stop_contact(conversation, choice, retention)
  local contact
  conversation, contact = stop_contact_of(conversation)
  if redis.call('EXISTS', contact) == 0 then return false end
  local known = choice_of(contact)
  if known and not supersedes(choice, known) then return false end
  write_choice(contact, choice)
  if known and known.stop then return false end
  append_stop_event(conversation, choice, retention)
  return true
end

-- refused_by_meta(conversation, at, code, retention): record a STOP because Meta refused a send; at: Meta's time (ms),
-- 0: none.
local function refused_by_meta(conversation, at, code, retention)
  local choice = new_choice(true, at, code)
  local _, contact = stop_contact_of(conversation)
  order_after(choice, choice_of(contact))
  stop_contact(conversation, choice, retention)
end

-- start_contact(conversation, choice, was_stopped, retention) -> whether the customer was stopped before. was_stopped:
-- whether a digest of theirs was.
local function start_contact(conversation, choice, was_stopped, retention)
  local contact
  conversation, contact = stop_contact_of(conversation)
  if redis.call('EXISTS', contact) == 0 then return was_stopped end
  local known = choice_of(contact)
  if known and not supersedes(choice, known) then return false end
  if not (was_stopped or known and known.stop) then return false end
  write_choice(contact, choice)
  append_stop_event(conversation, choice, retention)
  return true
end

-- stop_of(digest) -> the STOP of an address, or nil.
local function stop_of(digest)
  local v = redis.call('HMGET', stop_key(digest), 'at', 'by', 'has_meta_time', 'received_at', 'latest_meta_time')
  return v[1] and stored_choice(true, unpack(v)) or nil
end

-- remember_stop(digest, choice): store the STOP of an address, which outlives its contact.
local function remember_stop(digest, choice)
  local known = stop_of(digest)
  if known and not supersedes(choice, known) then return end
  redis.call('HSET', stop_key(digest), 'at', choice.at, 'by', choice.by,
    'has_meta_time', choice.has_meta_time and 1 or 0, 'received_at', choice.received_at,
    'latest_meta_time', choice.latest_meta_time)
end

-- forget_stop(digest, choice) -> whether this START ended a STOP of the address.
local function forget_stop(digest, choice)
  local known = stop_of(digest)
  return known and supersedes(choice, known) and redis.call('DEL', stop_key(digest)) == 1 or false
end

-- is_stopped(conversation, digests, retention) -> whether this customer or one of these addresses is stopped.
local function is_stopped(conversation, digests, retention)
  local _, contact = stop_contact_of(conversation)
  local known = choice_of(contact)
  if known and known.stop then return true end
  for _, digest in ipairs(digests) do
    local stop = stop_of(digest)
    if stop and not (known and forget_stop(digest, known)) then
      stop_contact(conversation, stop, retention)
      return true
    end
  end
  return false
end

-- is_marketing(waba, template) -> whether "<name> <language>" is a marketing template in the template list, or may be,
-- because the list does not contain it. is_surely_marketing: only where the list says so.
local function is_surely_marketing(waba, template)
  return template and redis.call('HGET', prefix .. 'categories:' .. waba, template) == 'MARKETING'
end

local function is_marketing(waba, template)
  if not template then return false end
  local categories = prefix .. 'categories:' .. waba
  local category = redis.call('HGET', categories, template)
  return category == 'MARKETING' or (not category and redis.call('EXISTS', categories) == 1)
end
