-- Add a received event to its conversation's mailbox. Duplicates are detected by the mark, the digest of number and
-- message id, which stores the event's id in the stream. who: see `resolve` · timestamp: Meta's (s) · name: the
-- customer's ("" none) · is_written: the customer wrote it, which opens the service window · handling: "answer", or
-- "none" (too old: stored, not answered), or "unavailable" (Meta may deliver its content later) · ceiling: of the
-- mailbox · original: the message that this one edits or revokes: its id as JSON ("" none), original_mark: its mark ·
-- edited: the event that replaces it ("" it is revoked) · debounce_ms: how long a burst waits for more (0: not at all),
-- debounce_most_ms: in total.
-- Return "new", "duplicate" or "flood".
-- args: number event mark who:json timestamp:number name is_written:flag handling ceiling:number retention:number mark_seconds original original_mark edited debounce_ms:number debounce_most_ms:number
-- include: refuse_when_full clock lifetime wake thread events large_events consent identity dead_letters wrong_types rate mailbox burst paused_answers
local function seen_key(of) return prefix .. 'seen:' .. of end
-- Excess events of one customer become dead letters up to this many a day. The others are only counted in the last one,
-- so that they do not displace other dead letters.
local MOST_FLOOD_LETTERS = 50
local function note_flood(conversation, reason, letter)
  local function as_hex(byte) return string.format('%02x', string.byte(byte)) end
  local message = string.gsub(string.sub(mark, 1, 6), '.', as_hex) -- its reference in logs and notes
  push_note(conversation, cjson.encode({ m = message, quiet = 'flood', letter = letter, reason = reason }), retention)
end

local function store_flood(conversation, reason, kept)
  local floods = prefix .. 'floods:' .. conversation
  local count = redis.call('HINCRBY', floods, 'count', 1)
  if count == 1 then redis.call('EXPIRE', floods, 86400) end
  local id = count <= MOST_FLOOD_LETTERS and redis.sha1hex(mark) or nil
  note_flood(conversation, reason, id)
  if id then
    redis.call('HSET', floods, 'last', id)
    add_dead_letter(id, { kind = 'flood', reason = reason, tries = 0, number = number, conversation = conversation,
      event = kept }, retention)
  else
    local letter = prefix .. 'dead_letter:' .. redis.call('HGET', floods, 'last')
    if redis.call('EXISTS', letter) == 1 then
      redis.call('HSET', letter, 'reason', reason .. '; ' .. count - MOST_FLOOD_LETTERS .. ' more were not kept')
    end
  end
end

-- Due times of bursts are rounded up, so that one `take` hands out many; one at a time costs a fifth more.
local BURST_GRID_MS = 50
-- Typing indicators to show while bursts wait for more.
local MOST_BEGUN = 256
local function note_new_burst(conversation)
  local begun = prefix .. 'begun'
  if answers_are_paused(conversation) or redis.call('HLEN', begun) >= MOST_BEGUN then return end
  redis.call('HSET', begun, conversation, number .. ' ' .. string.match(event, '"i":"([^"]*)"'))
  redis.call('EXPIRE', begun, 20)
end

-- Once a head was taken, its score in `due` is its lease or its next try, and stays as it is.
local function make_due(conversation, others_wait)
  local due, counters = prefix .. 'due', prefix .. 'conv:' .. conversation
  local role = debounce_ms > 0 and burst_role(event)
  if not role then
    if redis.call('ZADD', due, 'NX', now, conversation) == 1 then wake(prefix .. 'wake') end
    return
  end
  local v = redis.call('HMGET', counters, 'burst_since', 'head')
  local since, at = others_wait and tonumber(v[1]) or now, now
  if role == '1' then
    at = math.max(now, math.min(now + debounce_ms, since + debounce_most_ms))
    at = math.ceil(at / BURST_GRID_MS) * BURST_GRID_MS
  end
  redis.call('HSET', counters, 'burst_since', since, 'burst_due', at)
  if role == '1' and not others_wait and not v[2] then note_new_burst(conversation) end
  if not v[2] and (redis.call('ZADD', due, at, conversation) == 1 or at == now) then wake(prefix .. 'wake') end
end

local known_as, suspect = pcall(conversation_of, number, who)
if not known_as then suspect = nil end
local function admit_event()
  local seen = redis.call('GET', seen_key(mark))
  if seen and (seen ~= 'unavailable' or handling == 'unavailable') then return 'duplicate' end
  local conversation = resolve(number, who, retention)
  suspect = conversation
  local mailbox, counters = prefix .. 'mailbox:' .. conversation, prefix .. 'conv:' .. conversation
  -- Keys of a wrong type raise here, before the writes that must not happen twice.
  redis.call('ZCARD', mailbox)
  redis.call('HGET', counters, 'seq')
  local second = timestamp
  if second <= 0 or second * 1000 > wall then second = math.floor(wall / 1000) end

  local contact = prefix .. 'contact:' .. conversation
  local times = redis.call('HMGET', contact, 'owner_since', 'window_end')
  -- Meta delivers messages to the thread's owner: it is ours, unless it was taken from us since.
  if second >= tonumber(times[1] or 0) then redis.call('HDEL', contact, 'other_until') end
  local known = { 'n', number }
  if name ~= '' then set_name(conversation, name, retention) end
  if is_written then
    local window = math.max(tonumber(times[2] or 0), second * 1000 + 86400000)
    for _, fact in ipairs({ 'last_in', wall, 'window_end', window }) do known[#known + 1] = fact end
  end
  redis.call('HSET', contact, unpack(known))
  local place, kept, is_too_much = append_bounded('message', conversation, event, retention)
  redis.call('SET', seen_key(mark), handling == 'unavailable' and handling or place, 'EX', mark_seconds)
  count_received(number, mark)

  if original ~= '' then
    local waiting = waiting_events(conversation, original)
    local before = redis.call('GET', seen_key(original_mark))
    local has_content = before and before ~= 'unavailable'
    -- The original's content may arrive later and is then a duplicate.
    if not has_content then redis.call('SET', seen_key(original_mark), 'changed', 'EX', mark_seconds) end
    if #waiting > 0 and edited ~= '' then
      take_out(conversation, waiting[#waiting], add_edit(edited, edits_of(waiting[#waiting]), place))
      return 'new'
    elseif #waiting > 0 then
      -- A revoked message is not kept, with its edits; API clients learn of it by the revocation.
      forget_events(has_content and before or '')
      for _, other in ipairs(waiting) do
        forget_events(edits_of(other))
        take_out(conversation, other, '')
      end
      return 'new'
    end
    if not has_content then
      if edited == '' then return 'new' end
      event = add_edit(edited, '', place)
    end
  end
  if handling == 'none' then return 'new' end

  local waiting = redis.call('ZCARD', mailbox)
  if waiting >= ceiling or is_too_much then
    local reason = waiting >= ceiling and 'the mailbox of this conversation is full' or
      'this conversation is over its daily limit of bytes'
    store_flood(conversation, reason, kept)
    return 'flood'
  end
  local order = 1
  if waiting == 0 then
    redis.call('HSET', counters, 'seq', order)
  else
    order = redis.call('HINCRBY', counters, 'seq', 1)
  end
  refresh_ttl(counters, CONVERSATION_SECONDS)
  redis.call('ZADD', mailbox, second * 1000000 + order, event)
  make_due(conversation, waiting > 0)
  return 'new'
end
local ok, result = pcall(admit_event)
if ok then return result end
if not suspect or not set_aside_wrong_types(suspect, retention) then error(result) end
return admit_event()
