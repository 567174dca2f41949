-- resolve(number, who, retention) -> conversation: whom an event is from, or a send is to. The table in
-- docs/identity.md says what joins and what separates contacts. who, as whatsapp/webhooks/identity.py writes it: group
-- · numbers, known_by: a number and its other spellings each · ids (of which `previous` were replaced) · leaves ·
-- change · id_follows: the change names no user id for the new number · at (s, 0 unknown) · only_known: create no
-- contact.
--
-- A conversation's id is made from its customer's first address and never changes. alias:<number>:<address> maps an
-- address to its conversation. Of the contact, `addresses` are its addresses, `at:<number>` is since when (s) it has a
-- number, `moved:<number>` is when (s) it came by a change that named no user id, until one is seen with it, `former`
-- are numbers that it left, `joined` are conversations that were merged into this one.

local function contact_key(conversation) return prefix .. 'contact:' .. conversation end
local function alias_key(number, address) return prefix .. 'alias:' .. number .. ':' .. address end
local function former_key(number, address) return prefix .. 'former:' .. number .. ':' .. address end

local function words(conversation, field)
  return string.gmatch(redis.call('HGET', contact_key(conversation), field) or '', '%S+')
end

local function add_word(conversation, field, word)
  local known = redis.call('HGET', contact_key(conversation), field) or ''
  if not string.find(' ' .. known .. ' ', ' ' .. word .. ' ', 1, true) then
    redis.call('HSET', contact_key(conversation), field, known == '' and word or known .. ' ' .. word)
  end
end

local function remove_word(conversation, field, word)
  local left = {}
  for other in words(conversation, field) do
    if other ~= word then left[#left + 1] = other end
  end
  redis.call('HSET', contact_key(conversation), field, table.concat(left, ' '))
end

-- index_name(conversation, name, retention): `names` maps each word of a customer's name to the conversation, for
-- search by prefix. `sweep_names` removes outdated members.
local MOST_NAME_WORDS, LONGEST_NAME_WORD = 8, 64
local function name_words(name)
  local next_word, count = string.gmatch(string.lower(name), '[^%s%p%z]+'), 0
  return function()
    count = count + 1
    local word = count <= MOST_NAME_WORDS and next_word()
    return word and string.sub(word, 1, LONGEST_NAME_WORD) or nil
  end
end

local function index_name(conversation, name, retention)
  local names = prefix .. 'names'
  for word in name_words(name) do
    -- Of a wrong type: the message still counts, only search misses it.
    if type(redis.pcall('ZADD', names, 0, word .. '\0' .. conversation)) ~= 'number' then return end
  end
  refresh_ttl(names, retention)
end

local function set_name(conversation, name, retention)
  if redis.call('HGET', contact_key(conversation), 'name') == name then return end
  redis.call('HSET', contact_key(conversation), 'name', name)
  index_name(conversation, name, retention)
end

local function has_user_id(conversation)
  return string.find(redis.call('HGET', contact_key(conversation), 'addresses') or '', '.', 1, true) ~= nil
end

local function is_parent(id) return string.find(id, '.ENT.', 1, true) ~= nil end

local function addresses_of(conversation)
  local addresses = {}
  for address in words(conversation, 'addresses') do addresses[#addresses + 1] = address end
  return addresses
end

local function first_user_id(ids)
  for _, id in ipairs(ids) do
    if string.find(id, '.', 1, true) and not is_parent(id) then return id end
  end
end

-- owner(number, spellings) -> the conversation that has one of them, and that spelling.
local function owner(number, spellings)
  for _, address in ipairs(spellings) do
    local conversation = redis.call('GET', alias_key(number, address))
    if conversation then return conversation, address end
  end
end

-- former_owner(number, spellings, at) -> the conversation that left one of them at this time or later.
local function former_owner(number, spellings, at)
  for _, address in ipairs(spellings) do
    local left, conversation = string.match(redis.call('GET', former_key(number, address)) or '', '^(%d+) (.*)$')
    if left and at <= tonumber(left) and redis.call('EXISTS', contact_key(conversation)) == 1 then return conversation end
  end
end

local function had_since(conversation, address)
  return tonumber(redis.call('HGET', contact_key(conversation), 'at:' .. address) or 0)
end

-- came_with(spellings, conversation, moved, at) -> whether a user id that is seen with this number at `at` is
-- the new one of the person who changed to the number at `moved`: a user id is made for a number (reference 2.9).
-- conversation: who has the id, nil if nobody; somebody else if heard of before the change or with another number.
-- Carriers leave a number unused for longer than these 30 days.
local ID_FOLLOWS_SECONDS = 2592000
local function came_with(spellings, conversation, moved, at)
  if at < moved or at - moved > ID_FOLLOWS_SECONDS then return false end
  if not conversation then return true end
  local same = ' ' .. table.concat(spellings, ' ') .. ' '
  for _, field in ipairs({ 'addresses', 'former' }) do
    for address in words(conversation, field) do
      local is_id = string.find(address, '.', 1, true)
      if not is_id and not string.find(same, ' ' .. address .. ' ', 1, true) then return false end
    end
  end
  return tonumber(redis.call('HGET', contact_key(conversation), 'since') or wall) >= moved * 1000
end

-- moved_at(conversation, spellings) -> when (s) it changed to a number whose user id is not known yet, else nil.
local function moved_at(conversation, spellings)
  for _, address in ipairs(spellings) do
    local moved = redis.call('HGET', contact_key(conversation), 'moved:' .. address)
    if moved then return tonumber(moved) end
  end
end

local function id_is_known(conversation, spellings)
  for _, address in ipairs(spellings) do redis.call('HDEL', contact_key(conversation), 'moved:' .. address) end
end

-- number_since(number, conversation, spellings) -> since when (s) a conversation has a number, in the latest of its
-- spellings.
local function number_since(number, conversation, spellings)
  local since = 0
  for _, address in ipairs(spellings) do
    if redis.call('GET', alias_key(number, address)) == conversation then
      since = math.max(since, had_since(conversation, address))
    end
  end
  return since
end

-- A STOP holds for all addresses of a customer: see `stop`.
local function queue_stop_digests(conversation)
  if redis.call('HEXISTS', contact_key(conversation), 'stopped_at') == 1 then
    redis.call('SADD', prefix .. 'stops_unwritten', conversation)
  end
end

local function set_alias(number, address, conversation, retention)
  redis.call('SET', alias_key(number, address), conversation, 'EX', retention)
  add_word(conversation, 'addresses', address)
  queue_stop_digests(conversation)
end

local function assign_number(number, address, conversation, at, retention)
  set_alias(number, address, conversation, retention)
  redis.call('HSET', contact_key(conversation), 'at:' .. address, at)
end

-- Of this step: who has given up which address. `readdress` reads it.
local given_up = {}

local function leave_number(number, address, conversation, at, retention)
  redis.call('DEL', alias_key(number, address))
  redis.call('HDEL', contact_key(conversation), 'at:' .. address, 'moved:' .. address)
  remove_word(conversation, 'addresses', address)
  redis.call('SET', former_key(number, address), at .. ' ' .. conversation, 'EX', retention)
  add_word(conversation, 'former', address)
end

-- A number is given up in all its spellings, or two people would have it.
local function give_number_up(number, spellings, conversation, at, retention)
  given_up[#given_up + 1] = { conversation, spellings }
  for _, address in ipairs(spellings) do
    if redis.call('GET', alias_key(number, address)) == conversation then
      leave_number(number, address, conversation, at, retention)
    end
  end
end

-- The later choice of the two contacts on marketing holds.
local function merge_stops(older, newer)
  local choice, known = choice_of(contact_key(newer)), choice_of(contact_key(older))
  if choice and not (known and not supersedes(choice, known)) then write_choice(contact_key(older), choice) end
end

-- Merge the newer contact into the older one: addresses are added, the later times hold, a missing name is filled in.
local function merge_contact(number, older, newer, retention)
  local before, more = contact_key(older), contact_key(newer)
  merge_stops(older, newer)
  queue_stop_digests(older)
  for address in words(newer, 'addresses') do
    if string.find(address, '.', 1, true) then
      set_alias(number, address, older, retention)
    else
      assign_number(number, address, older, had_since(newer, address), retention)
      local moved = redis.call('HGET', more, 'moved:' .. address)
      if moved then redis.call('HSET', before, 'moved:' .. address, moved) end
    end
  end
  for address in words(newer, 'former') do
    local left = string.match(redis.call('GET', former_key(number, address)) or '', '^(%d+) ' .. '.*$')
    if left and redis.call('GET', former_key(number, address)) == left .. ' ' .. newer then
      redis.call('SET', former_key(number, address), left .. ' ' .. older, 'EX', retention)
    end
    add_word(older, 'former', address)
  end
  for _, field in ipairs({ 'last_in', 'window_end', 'unsupported_at', 'paused_until', 'other_until', 'owner_since' }) do
    local at = tonumber(redis.call('HGET', more, field) or 0)
    if at > tonumber(redis.call('HGET', before, field) or 0) then redis.call('HSET', before, field, at) end
  end
  for _, field in ipairs({ 'name', 'n' }) do
    local value = redis.call('HGET', more, field)
    if value then redis.call('HSETNX', before, field, value) end
  end
  index_name(older, redis.call('HGET', before, 'name') or '', retention)
  -- Conversations that were merged into the newer one lead to the older one at once: readers follow one step.
  for other in words(newer, 'joined') do
    add_word(older, 'joined', other)
    redis.call('SET', prefix .. 'joined:' .. other, older, 'XX', 'EX', retention)
  end
  add_word(older, 'joined', newer)
  redis.call('SET', prefix .. 'joined:' .. newer, older, 'EX', retention)
end

-- A lease on the newer conversation ends; its head is handled again in the older one, and only that result counts.
local function move_mailbox(older, newer)
  local from, to = prefix .. 'mailbox:' .. newer, prefix .. 'mailbox:' .. older
  local counters_from, counters = prefix .. 'conv:' .. newer, prefix .. 'conv:' .. older
  local events = redis.call('ZRANGE', from, 0, -1, 'WITHSCORES')
  redis.call('HINCRBY', counters_from, 'token', 1)
  redis.call('EXPIRE', counters_from, CONVERSATION_SECONDS)
  redis.call('ZREM', prefix .. 'due', newer)
  if #events == 0 then return end
  if redis.call('EXISTS', to) == 0 then
    local v = redis.call('HMGET', counters_from, 'head', 'deliveries', 'failures', 'burst')
    if v[1] then redis.call('HSET', counters, 'head', v[1], 'deliveries', v[2] or 0, 'failures', v[3] or 0) end
    if v[4] then redis.call('HSET', counters, 'burst', v[4]) end
  end
  for i = 1, #events, 2 do redis.call('ZADD', to, events[i + 1], events[i]) end
  redis.call('HINCRBY', counters, 'seq', redis.call('HGET', counters_from, 'seq') or 0)
  redis.call('EXPIRE', counters, CONVERSATION_SECONDS)
  redis.call('DEL', from)
  if redis.call('ZADD', prefix .. 'due', 'NX', now, older) == 1 then wake(prefix .. 'wake') end
end

-- Append the newer conversation's lane to the older's. A head that is being sent stays behind, unless the older lane is
-- empty: a lane has one head.
local function move_lane(number, older, newer)
  local from, to = prefix .. 'lane:' .. newer, prefix .. 'lane:' .. older
  local counters_from, counters = prefix .. 'conv:' .. newer, prefix .. 'conv:' .. older
  local ids = redis.call('LRANGE', from, 0, -1)
  if #ids == 0 then return end
  local head_leaves = redis.call('ZSCORE', prefix .. 'busy', ids[1])
  local was_empty = redis.call('EXISTS', to) == 0
  local at, urgent, in_turn = nil, redis.call('HGET', counters_from, 'urgent'), nil
  for _, priority in ipairs({ '0', '1' }) do
    local out = prefix .. 'out:' .. number .. ':' .. priority
    at = redis.call('ZSCORE', out, newer) or at
    redis.call('ZREM', out, newer)
    in_turn = redis.call('ZSCORE', out, older) or in_turn
  end
  for i, id in ipairs(ids) do
    if not (i == 1 and head_leaves and not was_empty) then
      redis.call('LREM', from, 1, id)
      redis.call('RPUSH', to, id)
      redis.call('HSET', prefix .. 'record:' .. id, 'c', older)
      if id == urgent then
        redis.call('HSET', counters, 'urgent', id)
        redis.call('HDEL', counters_from, 'urgent')
        redis.call('EXPIRE', counters, CONVERSATION_SECONDS)
      end
    end
  end
  if was_empty and not head_leaves then in_turn = at or now end
  if not in_turn then return end
  local first, second = prefix .. 'out:' .. number .. ':0', prefix .. 'out:' .. number .. ':1'
  if redis.call('HEXISTS', counters, 'urgent') == 0 then first, second = second, first end
  redis.call('ZREM', second, older)
  redis.call('ZADD', first, in_turn, older)
  wake(prefix .. 'wake_out:' .. number)
end

-- Entries are appended as they are: readers sort a page by time.
local function move_thread(older, newer)
  local from, to = prefix .. 'thread:' .. newer, prefix .. 'thread:' .. older
  if redis.call('TYPE', from).ok ~= 'list' then return end
  if redis.call('TYPE', to).ok ~= 'list' then redis.call('DEL', to) end
  for _, entry in ipairs(redis.call('LRANGE', from, 0, -1)) do redis.call('RPUSH', to, entry) end
  local life = redis.call('TTL', from)
  if life > redis.call('TTL', to) then redis.call('EXPIRE', to, life) end
  redis.call('DEL', from)
  redis.call('ZREM', prefix .. 'recent', newer)
end

local function move_limits(older, newer)
  local from, to = prefix .. 'pair:' .. newer, prefix .. 'pair:' .. older
  local free_at = tonumber(redis.call('GET', from) or 0)
  if free_at > math.max(now, tonumber(redis.call('GET', to) or 0)) then
    redis.call('SET', to, free_at, 'PX', free_at - now + CLOCK_AHEAD_MS)
  end
  redis.call('DEL', from)
  local bytes_from, bytes_to = prefix .. 'received_bytes:' .. newer, prefix .. 'received_bytes:' .. older
  local bytes = tonumber(redis.call('GET', bytes_from) or 0)
  if bytes > 0 then
    local life = math.max(redis.call('TTL', bytes_from), redis.call('TTL', bytes_to), 1)
    redis.call('INCRBY', bytes_to, bytes)
    redis.call('EXPIRE', bytes_to, life)
    redis.call('DEL', bytes_from)
  end
  local marketing_from, marketing = prefix .. 'marketing:' .. newer, prefix .. 'marketing:' .. older
  if redis.call('EXISTS', marketing_from) == 1 then
    redis.call('ZUNIONSTORE', marketing, 2, marketing, marketing_from)
    redis.call('EXPIRE', marketing, 604800)
    redis.call('DEL', marketing_from)
  end
  -- A customer counts once in the template quota: the later reservation holds.
  local waba = redis.call('HGET', contact_key(newer), 'quota') or redis.call('HGET', contact_key(older), 'quota')
  if not waba then return end
  local quota, of_older = prefix .. 'quota:' .. waba, string.match(older, ':(.*)$')
  local since = redis.call('ZSCORE', quota, string.match(newer, ':(.*)$'))
  if not since then return end
  redis.call('ZREM', quota, string.match(newer, ':(.*)$'))
  if tonumber(since) > tonumber(redis.call('ZSCORE', quota, of_older) or 0) then
    redis.call('ZADD', quota, since, of_older)
  end
  redis.call('HSET', contact_key(older), 'quota', waba)
end

local function join(number, first, second, retention)
  if not first or first == second then return second end
  local function since(conversation) return tonumber(redis.call('HGET', contact_key(conversation), 'since') or wall) end
  local older, newer = first, second -- of the same age, `second` is the older
  if since(second) <= since(first) then older, newer = second, first end
  redis.call('HSETNX', contact_key(older), 'since', wall)
  merge_contact(number, older, newer, retention)
  move_limits(older, newer)
  move_thread(older, newer)
  move_mailbox(older, newer)
  move_lane(number, older, newer)
  redis.call('DEL', contact_key(newer))
  return older
end

-- An id is not reused while its contact, or the record of a merge, exists.
local function new_conversation(number, address)
  local id, count = number .. ':' .. address, 1
  local function has(field)
    return string.find(' ' .. (redis.call('HGET', contact_key(id), field) or '') .. ' ', ' ' .. address .. ' ', 1, true)
  end
  local function is_taken()
    if redis.call('EXISTS', prefix .. 'joined:' .. id) == 1 then return true end
    return not has('addresses') and (has('former') or redis.call('HEXISTS', contact_key(id), 'addresses') == 1)
  end
  while is_taken() do
    count = count + 1
    id = number .. ':' .. address .. '.' .. count
  end
  return id
end

-- by_numbers(...) -> the conversation that a message's numbers belong to, the numbers to assign to it, and the user id
-- that replaces its others (nil: none).
local function by_numbers(number, who, conversation, at, retention)
  local theirs, replaces = {}, nil
  for _, spellings in ipairs(who.numbers) do
    local other, held = owner(number, spellings)
    local late = other and at < number_since(number, other, spellings)
    local is_theirs = true
    if not other or (late and #who.ids == 0) then
      local former = former_owner(number, spellings, at)
      if former and (not conversation or former == conversation) and (#who.ids == 0 or former == conversation) then
        conversation, is_theirs = former, false
      elseif other then
        conversation = conversation or other
      end
    elseif other ~= conversation then
      local moved = moved_at(other, spellings)
      if #who.ids == 0 and not conversation then
        conversation = other
      elseif moved and came_with(spellings, conversation, moved, at) then
        conversation, replaces = join(number, conversation, other, retention), first_user_id(who.ids)
      elseif not has_user_id(other) and at >= (moved or 0) then
        conversation = join(number, conversation, other, retention)
      elseif conversation and not has_user_id(conversation) and #who.ids == 0 then
        conversation = join(number, conversation, other, retention)
      elseif not late and #who.ids > 0 then
        give_number_up(number, spellings, other, at, retention) -- reassigned: two user ids are two people
        held = nil
      else
        is_theirs = false
      end
    end
    if is_theirs and held and #who.ids > 0 and not late then id_is_known(conversation, spellings) end
    if is_theirs and spellings[1] ~= held then theirs[#theirs + 1] = spellings[1] end
  end
  return conversation, theirs, replaces
end

-- by_change(...): as by_numbers, for a change of number or user id. The person was known by ids, or by the number that
-- they left. If the change names user ids, a contact with other user ids is another person.
local function by_change(number, who, conversation, at, retention)
  local function may_be(other) return not has_user_id(other) or (not conversation and #who.previous == 0) end
  local holder = owner(number, who.known_by)
  local moved = holder and moved_at(holder, who.known_by)
  local left = not holder and former_owner(number, who.known_by, at)
  if moved and holder ~= conversation and came_with(who.known_by, conversation, moved, at) then
    conversation = join(number, conversation, holder, retention)
  elseif holder and holder ~= conversation and at >= number_since(number, holder, who.known_by) and may_be(holder) then
    conversation = join(number, conversation, holder, retention)
  elseif left and may_be(left) then
    conversation = join(number, conversation, left, retention)
  end
  if who.only_known and not conversation then return nil, {} end
  local theirs, replaces = {}, nil
  if not who.leaves and not holder and not left then theirs[1] = who.known_by[1] end
  for _, spellings in ipairs(who.numbers) do
    local other, other_held = owner(number, spellings)
    local former = former_owner(number, spellings, at)
    local found = other or former
    local since = other and number_since(number, other, spellings)
    local is_known = conversation and (found == conversation or former == conversation) -- reported again
    if not found or (other and other == conversation and who.id_follows and since < at) then
      theirs[#theirs + 1] = spellings[1]
    elseif other and not is_known and since < at then
      give_number_up(number, spellings, other, at, retention) -- two numbers at the same time: two people
      theirs[#theirs + 1] = spellings[1]
    elseif not is_known and not has_user_id(found) then
      conversation = join(number, conversation, found, retention)
      if other and who.id_follows then redis.call('HSET', contact_key(conversation), 'moved:' .. other_held, at) end
    elseif not is_known and #who.ids == 0 and not (conversation and other) then
      conversation = join(number, conversation, found, retention)
    elseif not is_known and other and who.id_follows and came_with(spellings, other, at, since) then
      replaces = first_user_id(addresses_of(other))
      conversation = join(number, conversation, other, retention)
    end
  end
  if who.leaves and conversation then
    for _, address in ipairs(who.known_by) do
      if redis.call('GET', alias_key(number, address)) == conversation and had_since(conversation, address) <= at then
        leave_number(number, address, conversation, at, retention)
      end
    end
    given_up[#given_up + 1] = { conversation, who.known_by }
  end
  return conversation, theirs, replaces
end

-- conversation_of(number, who) -> the conversation that `resolve` would return for a caller's recipient; changes
-- nothing.
local function conversation_of(number, who)
  for _, id in ipairs(who.ids) do
    local known = redis.call('GET', alias_key(number, id))
    if known then return known end
  end
  for _, spellings in ipairs(who.numbers) do
    local known = owner(number, spellings)
    if known then return known end
  end
  local address = who.group ~= '' and who.group or #who.numbers > 0 and who.numbers[1][1] or who.ids[1]
  return redis.call('GET', alias_key(number, address)) or new_conversation(number, address)
end

-- link_number(number, conversation, spellings, retention): add the number as Meta spells it in its answer to a send.
local function link_number(number, conversation, spellings, retention)
  local other = owner(number, spellings)
  if not other then
    assign_number(number, spellings[1], conversation, math.floor(wall / 1000), retention)
  elseif other ~= conversation and not (has_user_id(other) and has_user_id(conversation)) then
    join(number, other, conversation, retention)
  elseif other == conversation and not redis.call('GET', alias_key(number, spellings[1])) then
    assign_number(number, spellings[1], conversation, math.floor(wall / 1000), retention)
  end
end

-- put_first(conversation, id): the first of a contact's addresses is the one to show and to write to.
local function put_first(conversation, id)
  remove_word(conversation, 'addresses', id)
  local others = redis.call('HGET', contact_key(conversation), 'addresses') or ''
  redis.call('HSET', contact_key(conversation), 'addresses', others == '' and id or id .. ' ' .. others)
end

-- current_address(conversation, of_id) -> where a reply to one of its addresses goes: to a number, else to the current
-- user id; of_id: to the user id. nil: nowhere.
local function current_address(conversation, of_id)
  local addresses = addresses_of(conversation)
  for _, address in ipairs(of_id and {} or addresses) do
    if not string.find(address, '.', 1, true) then return address end
  end
  return first_user_id(addresses)
end

-- A reply's body begins as ReplySends writes it. A caller's send goes where the caller wrote.
local BODY = '{"messaging_product":"whatsapp","recipient_type":"individual","%s":%s'
local function body_to(address)
  return string.format(BODY, string.find(address, '.', 1, true) and 'recipient' or 'to', cjson.encode(address))
end

-- addressed_to(to, body, former) -> the body of a reply to `former`, to `to`; nil if the reply is to another address.
local function addressed_to(to, body, former)
  local start = body_to(former)
  return string.sub(body, 1, #start) == start and body_to(to) .. string.sub(body, #start + 1) or nil
end

-- readdress(conversation, former): the replies that wait in its lane go from an address that the customer no longer has
-- to one that they have.
local function readdress(conversation, former)
  local to = former[1] and current_address(conversation, string.find(former[1], '.', 1, true))
  if not to then return end
  for _, id in ipairs(redis.call('LRANGE', prefix .. 'lane:' .. conversation, 0, -1)) do
    local record = prefix .. 'record:' .. id
    local v = redis.call('HMGET', record, 'origin', 'body')
    local body = v[1] and v[1] ~= '' and v[2] or ''
    for _, address in ipairs(former) do
      local changed = addressed_to(to, body, address)
      if changed and not redis.call('ZSCORE', prefix .. 'busy', id) then
        redis.call('HSET', record, 'body', changed, 'to', to)
        break
      end
    end
  end
end

-- recipient_now(conversation, to, body) -> recipient and body of a reply that enters its lane. While it was made, or
-- was being sent, its customer may have left the address.
local function recipient_now(conversation, to, body)
  local is_id = string.find(to, '.', 1, true)
  local v = redis.pcall('HMGET', contact_key(conversation), 'addresses', 'former')
  if v.err then return to, body end -- of a wrong type: steps that cannot set it aside must go on
  local function has(addresses) return string.find(' ' .. (addresses or '') .. ' ', ' ' .. to .. ' ', 1, true) end
  if is_id and is_parent(to) or not is_id and (has(v[1]) or not has(v[2])) then return to, body end
  local current = current_address(conversation, is_id)
  local changed = current and addressed_to(current, body, to)
  if changed then return current, changed end
  return to, body
end

-- readdress_again(id, conversation): the same for a record that enters its lane again.
local function readdress_again(id, conversation)
  local record = prefix .. 'record:' .. id
  local v = redis.call('HMGET', record, 'origin', 'to', 'body')
  if not v[1] or v[1] == '' or not v[2] or not v[3] then return end
  local current = redis.call('GET', prefix .. 'joined:' .. conversation) or conversation
  local to, body = recipient_now(current, v[2], v[3])
  if to ~= v[2] then redis.call('HSET', record, 'to', to, 'body', body) end
end

local function resolve(number, who, retention)
  local at = who.at > 0 and who.at or math.floor(wall / 1000)
  local conversation, theirs = nil, {}
  local replaces, had_it -- a user id that replaces others, and who had it before
  if who.group ~= '' then
    conversation = redis.call('GET', alias_key(number, who.group)) or new_conversation(number, who.group)
  else
    local current = who.change and who.ids[1]
    if current and not is_parent(current) and current ~= who.previous[1] then
      replaces, had_it = current, redis.call('GET', alias_key(number, current))
    end
    for _, id in ipairs(who.ids) do
      local other = redis.call('GET', alias_key(number, id))
      if other then conversation = join(number, conversation, other, retention) end
    end
    local find = who.change and by_change or by_numbers
    local first_seen
    conversation, theirs, first_seen = find(number, who, conversation, at, retention)
    if first_seen then replaces, had_it = first_seen, nil end
    if not conversation and who.only_known then return nil end
    conversation = conversation or new_conversation(number, theirs[1] or who.ids[1] or who.known_by[1])
  end
  local contact = contact_key(conversation)
  -- A contact may expire a little before its aliases (`refresh_ttl`); then it is created anew.
  local new = redis.call('HSETNX', contact, 'since', wall) == 1
  for _, address in ipairs(theirs) do
    assign_number(number, address, conversation, at, retention)
    if who.id_follows then redis.call('HSET', contact, 'moved:' .. address, at) end
  end
  local function refresh(address)
    local alias = alias_key(number, address)
    local known = redis.call('GET', alias)
    if not known or (known == conversation and (new or not is_fresh(alias, retention))) then
      set_alias(number, address, conversation, retention)
    end
  end
  for _, id in ipairs(who.ids) do refresh(id) end
  -- A change that comes late or again names an id that the contact had before.
  if replaces and had_it ~= conversation then
    put_first(conversation, replaces)
    local others = {}
    for address in words(conversation, 'addresses') do
      if string.find(address, '.', 1, true) and address ~= replaces then others[#others + 1] = address end
    end
    given_up[#given_up + 1] = { conversation, others }
  end
  if given_up[1] then
    for _, left in ipairs(given_up) do readdress(left[1], left[2]) end
    given_up = {}
  end
  if who.group ~= '' then refresh(who.group) end
  for _, spellings in ipairs(who.numbers) do
    local alias = alias_key(number, spellings[1])
    if redis.call('GET', alias) == conversation and (new or not is_fresh(alias, retention)) then
      set_alias(number, spellings[1], conversation, retention)
    end
  end
  refresh_ttl(contact, retention)
  return conversation
end
