-- A customer's choice on marketing, STOP or START: {stop, at, by, has_meta_time, received_at, latest_meta_time}.
--   has_meta_time:    whether `at` is Meta's time; of a choice from REST, an import or a refused send, `at` is the
--                     server's
--   received_at:      the store's time of arrival; of a START with Meta's time, when it was sent
--   latest_meta_time: Meta's time of the latest choice that had one (0: none had)
-- A contact has the last three as `consent_…`; stop:<digest> has them without the prefix.
local CONSENT_FIELDS = { 'stopped_at', 'stopped_by', 'started_at', 'consent_has_meta_time', 'consent_received_at',
  'consent_latest_meta_time' }
-- A timestamp of Meta's further in the future is ignored.
local MOST_AHEAD_MS = 86400000
-- Meta's timestamps are whole seconds: a choice may be this much (ms) later.
local LAST_MS_OF_SECOND = 999

-- new_choice(stop, at, by): a choice that arrives now; at: Meta's time (ms), 0: none.
local function new_choice(stop, at, by)
  local choice = { stop = stop, at = at, by = by, has_meta_time = true, received_at = now, latest_meta_time = at }
  if at <= 0 or at > wall + MOST_AHEAD_MS then
    choice.at, choice.has_meta_time, choice.latest_meta_time = wall, false, 0
  elseif not stop then
    choice.received_at = now - math.max(0, wall - at - LAST_MS_OF_SECOND)
  end
  return choice
end

-- stored_choice(stop, at, by, has_meta_time, received_at, latest_meta_time): a choice from its stored fields;
-- `has_meta_time` is true by default.
local function stored_choice(stop, at, by, has_meta_time, received_at, latest_meta_time)
  at = tonumber(at)
  return { stop = stop, at = at, by = by, has_meta_time = has_meta_time ~= '0', received_at = tonumber(received_at or 0),
    latest_meta_time = tonumber(latest_meta_time or at) }
end

-- choice_of(contact key) -> a contact's choice, or nil.
local function choice_of(contact)
  local v = redis.call('HMGET', contact, unpack(CONSENT_FIELDS))
  if not (v[1] or v[3]) then return nil end
  return stored_choice(v[1] ~= false, v[1] or v[3], v[2], unpack(v, 4))
end

local function write_choice(contact, choice)
  redis.call('HDEL', contact, unpack(CONSENT_FIELDS))
  redis.call('HSET', contact, 'consent_has_meta_time', choice.has_meta_time and 1 or 0,
    'consent_received_at', choice.received_at, 'consent_latest_meta_time', choice.latest_meta_time)
  if choice.stop then
    redis.call('HSET', contact, 'stopped_at', choice.at, 'stopped_by', choice.by)
  else
    redis.call('HSET', contact, 'started_at', choice.at)
  end
end

-- order_after(choice, known): make a new choice later than the known one, where it has no time of Meta's, or where both
-- are of the same second.
local function order_after(choice, known)
  if not known then return end
  if not choice.has_meta_time then
    choice.received_at = math.max(choice.received_at, known.received_at + 1)
    choice.latest_meta_time = math.max(choice.latest_meta_time, known.latest_meta_time)
  elseif known.has_meta_time and choice.stop ~= known.stop
    and math.floor(choice.at / 1000) == math.floor(known.at / 1000) then
    choice.at = math.max(choice.at, known.at + 1)
    choice.latest_meta_time = math.max(choice.latest_meta_time, choice.at)
  end
end

-- supersedes(choice, known) -> whether the choice replaces the known one, because it is later. Two choices with Meta's
-- time compare by it, others by arrival. In a tie STOP wins, also over a START that is still in the server's future.
local function supersedes(choice, known)
  if choice.has_meta_time and choice.at <= known.latest_meta_time then
    return choice.stop and not known.stop and known.has_meta_time and (choice.at == known.at or known.at > wall)
  end
  if known.has_meta_time and known.at <= choice.latest_meta_time then return true end
  return choice.received_at > known.received_at or (choice.received_at == known.received_at and choice.stop)
end
