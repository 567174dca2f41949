-- Apply a status from Meta to a send. The send is found by our id (biz_opaque_callback_data), else by its wamid; the
-- record's s:<status> detects duplicates. mark: digest of number and wamid · status: Meta's, also one without a rank ·
-- error, pricing: JSON ("" none) · participant: of a group ("" none) · subject: the digest of the payment or call that
-- it is about ("" none) · code: of the error (0 none) · country: of the customer ("" unknown), for costs · foreign:
-- JSON to store where the send is not ours · recipient: of another system's send, JSON, see `resolve` ("" none, or the
-- status has an id of ours) · event: a JSON object for the events stream, to which id, message_type, tag and
-- biz_opaque_callback_data are added where the send is ours · waba: the business account, whose template is paused
-- where the status says so.
-- Return {"applied"|"late"|"unranked"|"duplicate"|"foreign", id, ms since accepted (-1 unknown), "category\ttype"
-- counted or ""}.
-- args: id mark wamid status at number participant subject retention:number error code pricing country foreign recipient event waba mark_seconds
-- include: refuse_when_full clock lifetime wake thread events consent lane batch tags record stop marketing participants costs held_sends identity
local function read(name)
  return redis.call('HMGET', record_key(name), 'c', 's:accepted', 'wamid', 'type', 'opaque', 'n', 'error', 'confirmed',
    'rank', 's:' .. status, 'claimed', 'tag')
end
-- Whether we failed the send without an error of Meta's: `settle` gave it up, or it expired.
local function ended_by_us(failure)
  return string.find(failure, '"no_word_from_meta"', 1, true) or string.find(failure, '"reason":"expired"', 1, true)
end
-- is_first() -> whether this status, of this participant and state of a payment, has not been applied before.
local function is_first()
  local seen = prefix .. 'seen:' .. redis.sha1hex(mark .. ' ' .. status .. ' ' .. participant .. subject)
  return redis.call('SET', seen, '', 'NX', 'EX', mark_seconds)
end
local v = id ~= '' and read(id)
if not v or not v[1] then
  id = redis.call('GET', prefix .. 'wamid:' .. mark)
  v = id and read(id)
end
if not v or not v[1] then
  if recipient ~= '' then
    if not is_first() then return { 'duplicate', '', -1, '' } end
    append_event('foreign_status', conversation_of(number, cjson.decode(recipient)), event, retention)
  end
  local list = prefix .. 'foreign'
  redis.call('LPUSH', list, foreign)
  redis.call('LTRIM', list, 0, 999)
  redis.call('EXPIRE', list, retention)
  return { 'foreign', '', -1, '' }
end
local record, conversation, number_of_send = record_key(id), v[1], v[6]
-- Concatenated, not decoded: Meta's JSON may be nested deeper than cjson reads.
local function append_status_event()
  local opaque = v[5] and cjson.encode(v[5]) or 'null'
  local facts = '{"id":' .. cjson.encode(id) .. ',"message_type":' .. cjson.encode(v[4] or '') ..
    ',"tag":' .. (v[12] and cjson.encode(v[12]) or 'null') .. ',"biz_opaque_callback_data":' .. opaque .. ','
  append_event('status', conversation, facts .. string.sub(event, 2), retention)
end
-- A status without a rank, such as that of a payment or a new one: store it (a bounded number) and append it to the
-- events stream once. A payment may be tried again or refunded under the same status, and a group has several
-- participants: each state and each participant is an event.
if not RANK[status] then
  local is_one_of_several = subject ~= '' or participant ~= ''
  if not is_one_of_several and v[10] or is_one_of_several and not is_first() then return { 'duplicate', id, -1, '' } end
  if not v[10] and redis.call('HLEN', record) < 64 then redis.call('HSET', record, 's:' .. status, at) end
  append_status_event()
  return { 'unranked', id, -1, '' }
end
-- Of a group message each participant has statuses; the send has failed once it failed for all.
local is_whole, was_known = true, false
if participant ~= '' then
  local all = add_participant_status(record, participant, status, tonumber(at), tonumber(code))
  if not all then return { 'duplicate', id, -1, '' } end
  if status == 'failed' then
    is_whole = failed_for_all(all)
  elseif redis.call('HGET', record, 'status') == 'failed' then
    redis.call('HDEL', record, 'error', 's:failed')
    v[9] = RANK.unknown
  end
  was_known, v[10] = v[10], nil
end
-- We had failed the send ourselves: Meta's status overrides that.
if ended_by_us(v[7] or '') then
  redis.call('HDEL', record, 'error', 's:failed')
  v[9] = RANK.unknown
  if status == 'failed' then v[10] = nil end
end
if v[10] then return { 'duplicate', id, -1, '' } end
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
  -- Meta accepted a message after the pause began, whose answer was lost: end a pause for `meta_unwell`.
  local pause_key = prefix .. 'pause:' .. number_of_send
  local pause = redis.call('HMGET', pause_key, 'reason', 'since')
  if pause[1] == 'meta_unwell' and claimed > tonumber(pause[2] or now) then redis.call('DEL', pause_key) end
  end_record(id, retention)
  -- It may have been queued again, but Meta has it.
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
-- Meta delivered it after all: the failure stays in the history only.
if status ~= 'failed' and risen then redis.call('HDEL', record, 'error') end
if risen then redis.call('HDEL', record, 'held', 'held_at') end
redis.call('HSET', record, unpack(facts))
if status == 'failed' and risen then redis.call('ZREM', marketing_key(conversation), id) end
if status == 'failed' and risen and code == '131047' then fall_back(id, number_of_send, conversation, retention) end
if status == 'failed' and risen and code == '131050' and participant == '' then refused_by_meta(conversation, tonumber(at), code, retention) end
if status == 'failed' and risen and tonumber(code) == PAUSED_TEMPLATE then
  local template = redis.call('HGET', record, 'template')
  if template then hold_template(waba, template, wall + FIRST_PAUSE_MS, PAUSED) end
end
if RANK[status] > RANK.sent then redis.call('HDEL', record, 'fallback') end
append_status_event()
if risen then count_in_batch(id) end
local counted = RANK[status] >= RANK.delivered and count_cost(id, pricing, country, tonumber(at), participant) or ''
return { (risen or participant ~= '') and 'applied' or 'late', id, wall - accepted, counted }
