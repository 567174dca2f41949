-- Put a received event into its conversation's mailbox. The same event again is recognised by its mark, the digest of
-- number and message id. who: see `resolve` · timestamp: Meta's (s) · name: the customer's ("" none) · is_written: the
-- customer wrote it, which opens the service window · ceiling: of the mailbox.
-- Return "new", "duplicate" or "flood".
-- args: number event mark who:json timestamp:number name is_written:flag ceiling:number retention:number mark_seconds
-- include: refuse_when_full clock lifetime wake events identity dead_letters rate
if not redis.call('SET', prefix .. 'seen:' .. mark, '', 'NX', 'EX', mark_seconds) then return 'duplicate' end
local conversation = resolve(number, who, retention)
local second = timestamp
if second <= 0 or second * 1000 > now then second = math.floor(now / 1000) end

local contact = prefix .. 'contact:' .. conversation
local known = { 'n', number }
if name ~= '' then known[3], known[4] = 'name', name end
if is_written then
  local window = math.max(tonumber(redis.call('HGET', contact, 'window_end') or 0), second * 1000 + 86400000)
  for _, fact in ipairs({ 'last_in', now, 'window_end', window }) do known[#known + 1] = fact end
end
redis.call('HSET', contact, unpack(known))
append_event('message', conversation, event, retention)
count_from(number, mark, now)

local mailbox, counters = prefix .. 'mailbox:' .. conversation, prefix .. 'conv:' .. conversation
local waiting = redis.call('ZCARD', mailbox)
if waiting >= ceiling then
  add_dead_letter(redis.sha1hex(mark), { kind = 'flood', reason = 'the mailbox of this conversation is full', tries = 0,
    number = number, conversation = conversation, event = event }, retention)
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
if redis.call('ZADD', prefix .. 'due', 'NX', now, conversation) == 1 then wake(prefix .. 'wake') end
return 'new'
