-- include: clock lifetime bell tell lane record
-- What became of a send, by Meta's word. Found by our id (biz_opaque_callback_data), else by its wamid; the
-- record's own s:<status> is the mark against repeats.
-- ARGV 1 our id ("" none) · 2 mark (digest of n + wamid) · 3 wamid · 4 status · 5 time (ms) · 6 n · 7 keep (s)
--      · 8 error (JSON, "") · 9 error code (0) · 10 pricing (JSON, "") · 11 raw (JSON, for sends that are not ours)
--      · 12 what the events stream is told (JSON members)
-- Returns {"applied"|"late"|"duplicate"|"foreign", id, ms since accepted, type}.
local id, status, keep = ARGV[1], ARGV[4], tonumber(ARGV[7])
if id == '' or redis.call('EXISTS', key(id)) == 0 then id = redis.call('GET', 'wa:w:' .. ARGV[2]) end
if not id or redis.call('EXISTS', key(id)) == 0 then
  redis.call('LPUSH', 'wa:foreign', ARGV[11])
  redis.call('LTRIM', 'wa:foreign', 0, 999)
  redis.call('EXPIRE', 'wa:foreign', keep)
  return { 'foreign', '', -1, '' }
end
if not RANK[status] then return { 'late', id, -1, '' } end
local v = redis.call('HMGET', key(id), 'c', 's:accepted', 'wamid', 'type', 'opaque', 'n')
-- We had taken Meta's silence for a no: this is its word.
if string.find(redis.call('HGET', key(id), 'error') or '', '"no_word_from_meta"', 1, true) then
  redis.call('HDEL', key(id), 'error', 's:failed')
  redis.call('HSET', key(id), 'rank', RANK.unknown)
end
if redis.call('HSETNX', key(id), 's:' .. status, ARGV[5]) == 0 then return { 'duplicate', id, -1, v[4] } end
if not v[3] then
  redis.call('HSET', key(id), 'wamid', ARGV[3])
  redis.call('SET', 'wa:w:' .. ARGV[2], id, 'EX', keep)
end
local c, accepted = v[1], tonumber(v[2])
if redis.call('ZREM', 'wa:doubt', id) == 1 or not accepted then
  accepted = accepted or tonumber(redis.call('HGET', key(id), 'claimed') or now)
  redis.call('HSETNX', key(id), 's:accepted', accepted)
  ended(id, keep)
  -- It was to be tried again, but Meta has it.
  if not redis.call('ZSCORE', 'wa:busy', id) then drop(v[6], c, id) end
end
if ARGV[10] ~= '' then redis.call('HSET', key(id), 'pricing', ARGV[10]) end
if not redis.call('HGET', key(id), 'heard') then
  redis.call('HSET', key(id), 'heard', now)
  redis.call('LPUSH', 'wa:heard:' .. ARGV[6], accepted)
  redis.call('LTRIM', 'wa:heard:' .. ARGV[6], 0, 99)
  redis.call('EXPIRE', 'wa:heard:' .. ARGV[6], keep)
end
local risen = rank(id) < RANK[status]
if risen then redis.call('HSET', key(id), 'status', status, 'rank', RANK[status]) end
if status == 'failed' and risen then
  redis.call('HSET', key(id), 'error', ARGV[8])
  if ARGV[9] == '131047' then fall_back(id, v[6], c) end
end
if RANK[status] > RANK.sent then redis.call('HDEL', key(id), 'fallback') end
-- Put together as text: what Meta sends may be nested deeper than this server reads.
local opaque = v[5] and cjson.encode(v[5]) or 'null'
tell('status', c, '{"id":' .. cjson.encode(id) .. ',"biz_opaque_callback_data":' .. opaque .. ',' .. ARGV[12] .. '}', keep)
return { risen and 'applied' or 'late', id, now - accepted, v[4] }
