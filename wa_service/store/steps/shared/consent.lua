-- A customer's word on marketing, STOP or START: {stop, at, by, metas, came, heard}.
--   metas: whether `at` is Meta's time; of a word from REST, an import or a refused send, `at` is the server's
--   came:  the store's time of arrival; of a START with Meta's time, when it was sent
--   heard: Meta's time of the latest word that had one (0: none had)
local CONSENT_FIELDS = { 'stopped_at', 'stopped_by', 'started_at', 'word_metas', 'word_came', 'word_heard' }
-- A timestamp of Meta's further in the future is ignored.
local MOST_AHEAD_MS = 86400000
-- Meta's timestamps are whole seconds: a word may be this much (ms) later.
local LAST_MS_OF_SECOND = 999

-- new_word(stop, at, by): a word that arrives now; at: Meta's time (ms), 0: none.
local function new_word(stop, at, by)
  if at <= 0 or at > wall + MOST_AHEAD_MS then return { stop = stop, at = wall, by = by, metas = false, came = now, heard = 0 } end
  local age = stop and 0 or math.max(0, wall - at - LAST_MS_OF_SECOND)
  return { stop = stop, at = at, by = by, metas = true, came = now - age, heard = at }
end

-- stored_word(stop, at, by, metas, came, heard): a word from its stored fields; `metas` is true by default.
local function stored_word(stop, at, by, metas, came, heard)
  at = tonumber(at)
  return { stop = stop, at = at, by = by, metas = metas ~= '0', came = tonumber(came or 0), heard = tonumber(heard or at) }
end

-- word_of(contact key) -> a contact's word, or nil.
local function word_of(contact)
  local v = redis.call('HMGET', contact, unpack(CONSENT_FIELDS))
  if not (v[1] or v[3]) then return nil end
  return stored_word(v[1] ~= false, v[1] or v[3], v[2], unpack(v, 4))
end

local function write_word(contact, word)
  redis.call('HDEL', contact, unpack(CONSENT_FIELDS))
  redis.call('HSET', contact, 'word_metas', word.metas and 1 or 0, 'word_came', word.came, 'word_heard', word.heard)
  if word.stop then
    redis.call('HSET', contact, 'stopped_at', word.at, 'stopped_by', word.by)
  else
    redis.call('HSET', contact, 'started_at', word.at)
  end
end

-- order_after(word, known): make a new word later than the known one, where it has no time of Meta's, or where both are
-- of the same second.
local function order_after(word, known)
  if not known then return end
  if not word.metas then
    word.came, word.heard = math.max(word.came, known.came + 1), math.max(word.heard, known.heard)
  elseif known.metas and word.stop ~= known.stop and math.floor(word.at / 1000) == math.floor(known.at / 1000) then
    word.at = math.max(word.at, known.at + 1)
    word.heard = math.max(word.heard, word.at)
  end
end

-- supersedes(word, known) -> whether the word replaces the known one, because it is later. Two words with Meta's time
-- compare by it, others by arrival. In a tie STOP wins, also over a START that is still in the server's future.
local function supersedes(word, known)
  if word.metas and word.at <= known.heard then
    return word.stop and not known.stop and known.metas and (word.at == known.at or known.at > wall)
  end
  if known.metas and known.at <= word.heard then return true end
  return word.came > known.came or (word.came == known.came and word.stop)
end
