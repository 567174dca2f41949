-- include: clock lifetime bell tell lane record
-- What became of a send, by Meta's word. Found by our id (biz_opaque_callback_data), else by its wamid; the
-- record's own s:<status> is the mark against repeats.
-- ARGV 1 our id ("" none) · 2 mark (digest of n + wamid) · 3 wamid · 4 status, or a word of no rank · 5 time (ms) · 6 n · 7 keep (s)
--      · 8 error (JSON, "") · 9 error code (0) · 10 pricing (JSON, "") · 11 what is kept of it where the send is not ours (JSON)
--      · 12 what the events stream is told (JSON members)
-- Returns {"applied"|"late"|"told"|"duplicate"|"foreign", id, ms since accepted, type}.
local id, status, keep = ARGV[1], ARGV[4], tonumber(ARGV[7])
local function read(name)
  return redis.call('HMGET', key(name), 'c', 's:accepted', 'wamid', 'type', 'opaque', 'n', 'error', 'heard', 'rank',
    's:' .. status)
end
-- Without a word of Meta's: after its silence, or because what was to be sent once more had waited too long.
local function ended_by_us(error)
  return string.find(error, '"no_word_from_meta"', 1, true) or string.find(error, '"reason":"expired"', 1, true)
end
local v = id ~= '' and read(id)
if not v or not v[1] then
  id = redis.call('GET', 'wa:w:' .. ARGV[2])
  v = id and read(id)
end
if not v or not v[1] then
  redis.call('LPUSH', 'wa:foreign', ARGV[11])
  redis.call('LTRIM', 'wa:foreign', 0, 999)
  redis.call('EXPIRE', 'wa:foreign', keep)
  return { 'foreign', '', -1, '' }
end
-- Put together as text: what Meta sends may be nested deeper than this server reads.
local function tell_it()
  local opaque = v[5] and cjson.encode(v[5]) or 'null'
  tell('status', v[1], '{"id":' .. cjson.encode(id) .. ',"biz_opaque_callback_data":' .. opaque .. ',' .. ARGV[12] .. '}',
    keep)
end
-- No step of the ladder: what became of a payment, or a word that is new. The record keeps it (some dozen of them at
-- most), and it is told, once; nothing else changes.
if not RANK[status] then
  if v[10] then return { 'duplicate', id, -1, v[4] } end
  if redis.call('HLEN', key(id)) < 64 then redis.call('HSET', key(id), 's:' .. status, ARGV[5]) end
  tell_it()
  return { 'told', id, -1, v[4] }
end
-- We had taken Meta's silence for a no: this is its word.
if ended_by_us(v[7] or '') then
  redis.call('HDEL', key(id), 'error', 's:failed')
  v[9] = RANK.unknown
  if status == 'failed' then v[10] = nil end
end
if v[10] then return { 'duplicate', id, -1, v[4] } end
local facts = { 's:' .. status, ARGV[5] }
local function fact(name, value)
  facts[#facts + 1] = name
  facts[#facts + 1] = value
end
if not v[3] then
  fact('wamid', ARGV[3])
  redis.call('SET', 'wa:w:' .. ARGV[2], id, 'EX', keep)
end
local c, accepted = v[1], tonumber(v[2])
if redis.call('ZREM', 'wa:doubt', id) == 1 or not accepted then
  local claimed = tonumber(redis.call('HGET', key(id), 'claimed') or now)
  if not accepted then
    accepted = claimed
    fact('s:accepted', accepted)
  end
  -- A probe whose answer was lost: where Meta only seemed unwell, that it took it says that it is not.
  local pause = redis.call('HMGET', 'wa:pause:' .. v[6], 'reason', 'since')
  if pause[1] == 'meta_unwell' and claimed > tonumber(pause[2] or now) then
    redis.call('DEL', 'wa:pause:' .. v[6])
  end
  ended(id, keep)
  -- It was to be tried again, but Meta has it.
  if not redis.call('ZSCORE', 'wa:busy', id) then drop(v[6], c, id) end
end
if ARGV[10] ~= '' then fact('pricing', ARGV[10]) end
if not v[8] then
  fact('heard', now)
  redis.call('LPUSH', 'wa:heard:' .. ARGV[6], accepted)
  redis.call('LTRIM', 'wa:heard:' .. ARGV[6], 0, 99)
  renew('wa:heard:' .. ARGV[6], keep)
end
local before = tonumber(v[9] or 0)
local risen = before < RANK[status]
if risen then
  fact('status', status)
  before = RANK[status]
end
fact('rank', before)
if status == 'failed' and risen then fact('error', ARGV[8]) end
redis.call('HSET', key(id), unpack(facts))
if status == 'failed' and risen and ARGV[9] == '131047' then fall_back(id, v[6], c, keep) end
if RANK[status] > RANK.sent then redis.call('HDEL', key(id), 'fallback') end
tell_it()
return { risen and 'applied' or 'late', id, now - accepted, v[4] }
