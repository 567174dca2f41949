-- What a customer says of marketing: a word, STOP or START: {stop, at, by, metas, came, heard}. at: when they said it by
-- Meta's time (metas); where Meta tells none (REST, an import, Meta's refusal of a send) the server's, when it came.
-- heard: Meta's time of the latest word that had one (0: none did). came: the store's own time when it came, or for a
-- START of Meta's when it was said.
local CONSENT_FIELDS = { 'stopped_at', 'stopped_by', 'started_at', 'word_metas', 'word_came', 'word_heard' }
-- Meta's time further in the server's future says nothing.
local MOST_AHEAD_MS = 86400000
-- Meta's time counts whole seconds: a word may have been said this much (ms) later.
local LAST_MS_OF_SECOND = 999

-- new_word(stop, at, by): the word that comes now; at: Meta's time (ms), 0: none.
local function new_word(stop, at, by)
  if at <= 0 or at > wall + MOST_AHEAD_MS then return { stop = stop, at = wall, by = by, metas = false, came = now, heard = 0 } end
  local age = stop and 0 or math.max(0, wall - at - LAST_MS_OF_SECOND)
  return { stop = stop, at = at, by = by, metas = true, came = now - age, heard = at }
end

-- stored_word(stop, at, by, metas, came, heard): a word as it was stored; where that does not say whose time it is, Meta's.
local function stored_word(stop, at, by, metas, came, heard)
  at = tonumber(at)
  return { stop = stop, at = at, by = by, metas = metas ~= '0', came = tonumber(came or 0), heard = tonumber(heard or at) }
end

-- word_of(contact key) -> what a contact says, nil where it says nothing.
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

-- put_behind(word, known): a new word that has no time of Meta's comes after all that is known; of two in one second of
-- Meta's the one that comes now is the later.
local function put_behind(word, known)
  if not known then return end
  if not word.metas then
    word.came, word.heard = math.max(word.came, known.came + 1), math.max(word.heard, known.heard)
  elseif known.metas and word.stop ~= known.stop and math.floor(word.at / 1000) == math.floor(known.at / 1000) then
    word.at = math.max(word.at, known.at + 1)
    word.heard = math.max(word.heard, word.at)
  end
end

-- holds_over(word, known) -> whether the word is the later one. Two of Meta's go by its time, others by when they came.
-- Where that leaves it open STOP holds: of two contacts' words of one time, and against a START that the server's clock
-- has not reached yet.
local function holds_over(word, known)
  if word.metas and word.at <= known.heard then
    return word.stop and not known.stop and known.metas and (word.at == known.at or known.at > wall)
  end
  if known.metas and known.at <= word.heard then return true end
  return word.came > known.came or (word.came == known.came and word.stop)
end
