-- What became of a send, by Meta's word. Found by our id (biz_opaque_callback_data), else by its wamid; the record's own
-- s:<status> is the mark against repeats. mark: digest of number and wamid · status: or a word of no rank · error,
-- pricing: JSON ("" none) · participant: of a group whom it is about ("" all) · code: of the error (0 none) · foreign: what is kept of it where the send is not ours (JSON) ·
-- event: what the events stream has of it (a JSON object, to which id, message_type, tag and biz_opaque_callback_data are added).
-- waba: the business account, whose template Meta says is paused where it failed by that.
-- country: of the customer, "" unknown; its price is counted with the first status of being delivered.
-- Return {"applied"|"late"|"told"|"duplicate"|"foreign", id, ms since accepted, type, "category\ttype" counted or ""}.
-- args: id mark wamid status at number participant retention:number error code pricing country foreign event waba
-- include: refuse_when_full clock lifetime wake thread events consent lane batch tags record quota stop participants costs held_sends
local function read(name)
  return redis.call('HMGET', record_key(name), 'c', 's:accepted', 'wamid', 'type', 'opaque', 'n', 'error', 'confirmed',
    'rank', 's:' .. status, 'claimed', 'tag')
end
-- Without a word of Meta's: after its silence, or because what was to be sent once more had waited too long.
local function ended_by_us(failure)
  return string.find(failure, '"no_word_from_meta"', 1, true) or string.find(failure, '"reason":"expired"', 1, true)
end
local v = id ~= '' and read(id)
if not v or not v[1] then
  id = redis.call('GET', prefix .. 'wamid:' .. mark)
  v = id and read(id)
end
if not v or not v[1] then
  local list = prefix .. 'foreign'
  redis.call('LPUSH', list, foreign)
  redis.call('LTRIM', list, 0, 999)
  redis.call('EXPIRE', list, retention)
  return { 'foreign', '', -1, '' }
end
local record, conversation, number_of_send = record_key(id), v[1], v[6]
-- Put together as text: what Meta sends may be nested deeper than this server reads.
local function append_status_event()
  local opaque = v[5] and cjson.encode(v[5]) or 'null'
  local facts = '{"id":' .. cjson.encode(id) .. ',"message_type":' .. cjson.encode(v[4] or '') ..
    ',"tag":' .. (v[12] and cjson.encode(v[12]) or 'null') .. ',"biz_opaque_callback_data":' .. opaque .. ','
  append_event('status', conversation, facts .. string.sub(event, 2), retention)
end
-- No step of the ladder: what became of a payment, or a word that is new. The record keeps it (some dozen of them at
-- most), and it is told, once; nothing else changes.
if not RANK[status] then
  if v[10] then return { 'duplicate', id, -1, v[4] } end
  if redis.call('HLEN', record) < 64 then redis.call('HSET', record, 's:' .. status, at) end
  append_status_event()
  return { 'told', id, -1, v[4] }
end
-- Of a group each participant's statuses count by themselves; the whole has failed once it has failed for all.
local is_whole, was_known = true, false
if participant ~= '' then
  local all = add_participant_status(record, participant, status, tonumber(at), tonumber(code))
  if not all then return { 'duplicate', id, -1, v[4] } end
  if status == 'failed' then
    is_whole = failed_for_all(all)
  elseif redis.call('HGET', record, 'status') == 'failed' then
    redis.call('HDEL', record, 'error', 's:failed')
    v[9] = RANK.unknown
  end
  was_known, v[10] = v[10], nil
end
-- We had taken Meta's silence for a no: this is its word.
if ended_by_us(v[7] or '') then
  redis.call('HDEL', record, 'error', 's:failed')
  v[9] = RANK.unknown
  if status == 'failed' then v[10] = nil end
end
if v[10] then return { 'duplicate', id, -1, v[4] } end
local facts = {}
local function set(name, value)
  facts[#facts + 1] = name
  facts[#facts + 1] = value
end
if is_whole and not was_known then set('s:' .. status, at) end
if not v[3] then
  set('wamid', wamid)
  redis.call('SET', prefix .. 'wamid:' .. mark, id, 'EX', retention)
end
local accepted, claimed = tonumber(v[2]), tonumber(v[11] or now)
if redis.call('ZREM', prefix .. 'unknown', id) == 1 or not accepted then
  if not accepted then
    accepted = tonumber(redis.call('HGET', record, 's:sending') or wall)
    set('s:accepted', accepted)
  end
  -- A probe whose answer was lost: where Meta only seemed unwell, that it took it says that it is not.
  local pause_key = prefix .. 'pause:' .. number_of_send
  local pause = redis.call('HMGET', pause_key, 'reason', 'since')
  if pause[1] == 'meta_unwell' and claimed > tonumber(pause[2] or now) then redis.call('DEL', pause_key) end
  end_record(id, retention)
  -- It was to be tried again, but Meta has it.
  if not redis.call('ZSCORE', prefix .. 'busy', id) then drop_from_lane(number_of_send, conversation, id) end
end
if pricing ~= '' then set('pricing', pricing) end
if not v[8] then
  set('confirmed', wall)
  local confirmed = prefix .. 'confirmed:' .. number
  redis.call('LPUSH', confirmed, claimed)
  redis.call('LTRIM', confirmed, 0, 99)
  refresh_ttl(confirmed, retention)
end
local before = tonumber(v[9] or 0)
local risen = is_whole and before < RANK[status]
if risen then
  set('status', status)
  before = RANK[status]
end
set('rank', before)
if status == 'failed' and risen then set('error', error) end
-- Meta delivered it after all: its earlier word stays in the history only.
if status ~= 'failed' and risen then redis.call('HDEL', record, 'error') end
if risen then redis.call('HDEL', record, 'held', 'held_at') end
redis.call('HSET', record, unpack(facts))
if status == 'failed' and risen and code == '131047' then fall_back(id, number_of_send, conversation, retention) end
if status == 'failed' and risen and code == '131050' and participant == '' then refused_by_meta(conversation, tonumber(at), code, retention) end
if status == 'failed' and risen and tonumber(code) == PAUSED_TEMPLATE then
  local template = redis.call('HGET', record, 'template')
  if template then pause_template(waba, template, wall + FIRST_PAUSE_MS) end
end
if RANK[status] > RANK.sent then redis.call('HDEL', record, 'fallback') end
append_status_event()
if risen then count_in_batch(id) end
local counted = RANK[status] >= RANK.delivered and count_cost(id, pricing, country, tonumber(at)) or ''
return { (risen or participant ~= '') and 'applied' or 'late', id, wall - accepted, v[4], counted }
