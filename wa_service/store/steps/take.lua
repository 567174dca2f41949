-- Lease up to `count` conversations that are due, each with its head. A repeated call (same counter) gets the same
-- answer. Deliveries are counted here, so that work which kills its process is counted too. unsent_ceiling: a
-- conversation with this many unsent replies is postponed · shows_typing: whether the consumer shows typing indicators
-- for new bursts.
-- Return {ms until the next call (-1: until woken), {conversation, "<number> <message id>" of each new burst...},
-- {conversation, token, deliveries, failures, head, contact, events handled with the head}...}.
-- args: consumer counter lease_ms:number count:number unsent_ceiling:number retention:number shows_typing:flag
-- include: allow_when_full clock lifetime lease dead_letters wrong_types burst
local due_key, last_take, leases = prefix .. 'due', prefix .. 'last_take:' .. consumer, prefix .. 'leases:' .. consumer
local function counters_key(conversation) return prefix .. 'conv:' .. conversation end
local function contact_of(conversation) return redis.call('HGETALL', prefix .. 'contact:' .. conversation) end
local function head_of(conversation) return redis.call('ZRANGE', prefix .. 'mailbox:' .. conversation, 0, 0)[1] end

local function work(conversation, token)
  local v = redis.call('HMGET', counters_key(conversation), 'deliveries', 'failures', 'burst')
  local head = head_of(conversation)
  if not head then return nil end
  return { conversation, token, tonumber(v[1] or 0), tonumber(v[2] or 0), head, contact_of(conversation),
    burst_again(conversation, v[3]) }
end

-- A delivery without an outcome makes a conversation suspect of killing its process, along with all that were leased
-- with it. After two such deliveries a consumer holds at most eight suspects at once, after three only one. So within a
-- death or two the poison message is isolated, while others are handled as before.
local function suspicion(unended)
  if unended < 2 then return 0 end
  return unended == 2 and 1 / 8 or 1
end

local suspected
local function room_for(suspect)
  if suspect == 0 then return true end
  if not suspected then
    suspected = 0
    local all = redis.call('HGETALL', leases)
    for i = 1, #all, 2 do
      local v = redis.pcall('HMGET', counters_key(all[i]), 'token', 'deliveries', 'failures')
      if v[1] == all[i + 1] then
        suspected = suspected + suspicion(tonumber(v[2] or 0) - 1 - tonumber(v[3] or 0))
      end
    end
  end
  if suspected + suspect > 1 then return false end
  suspected = suspected + suspect
  return true
end

-- A retry gets the same burst again, so that a responder recognises it. After several tries the head is handled alone,
-- because a single event of the burst may be the cause.
local MOST_TRIES_TOGETHER = 3
local function burst_of(conversation, head, deliveries, taken_before)
  if deliveries > MOST_TRIES_TOGETHER then return {} end
  if deliveries > 1 then return burst_again(conversation, taken_before) end
  return begin_burst(conversation, head)
end

local before = redis.call('HGETALL', last_take)
local last = {}
for i = 1, #before, 2 do last[before[i]] = before[i + 1] end
-- A delayed call: its consumer has called again since and would not see this answer.
if last['#'] and tonumber(counter) < tonumber(last['#']) then return { 0, {} } end
if last['#'] == counter then
  local answer = { 0, {} }
  for conversation, token in pairs(last) do
    if conversation ~= '#' and holds(conversation, token) then
      redis.call('ZADD', due_key, 'XX', now + lease_ms, conversation) -- the lease starts anew
      answer[#answer + 1] = work(conversation, tonumber(token))
    end
  end
  if #answer > 2 then return answer end
end

local answer, taken, wait, nothing_else = { 0, {} }, { '#', counter }, -1, false
local function hand_out(conversation)
  local head = head_of(conversation)
  if not head then
    redis.call('ZREM', due_key, conversation)
  elseif redis.call('LLEN', prefix .. 'lane:' .. conversation) >= unsent_ceiling then
    redis.call('ZADD', due_key, now + 500, conversation)
  else
    local counters = counters_key(conversation)
    local mark, contact = redis.sha1hex(head), contact_of(conversation)
    local v = redis.call('HMGET', counters, 'head', 'deliveries', 'failures', 'token', 'consumer', 'burst',
      'burst_since')
    if v[1] ~= mark then v[2], v[3] = 0, 0 end
    local deliveries, failures = tonumber(v[2] or 0) + 1, tonumber(v[3] or 0)
    -- Never reuse a token, not even after a failover that lost some, or after an erasure.
    local token = math.max(tonumber(v[4] or 0) + 1, now)
    if room_for(suspicion(deliveries - 1 - failures)) then
      if v[5] and v[5] ~= consumer then redis.call('HDEL', prefix .. 'leases:' .. v[5], conversation) end
      redis.call('HSET', counters, 'head', mark, 'deliveries', deliveries, 'failures', failures, 'token', token,
        'consumer', consumer)
      local behind = burst_of(conversation, head, deliveries, v[6])
      if #behind > 0 then redis.call('HSET', counters, 'burst', digests_of(behind)) end
      if v[6] and #behind == 0 then redis.call('HDEL', counters, 'burst') end
      if v[7] then
        redis.call('HDEL', counters, 'burst_since', 'burst_due')
        redis.call('HDEL', prefix .. 'begun', conversation)
      end
      refresh_ttl(counters, CONVERSATION_SECONDS)
      redis.call('ZADD', due_key, now + lease_ms, conversation)
      redis.call('HSET', leases, conversation, token)
      taken[#taken + 1] = conversation
      taken[#taken + 1] = token
      answer[#answer + 1] = { conversation, token, deliveries, failures, head, contact, behind }
    else
      redis.call('ZADD', due_key, now + 100, conversation)
    end
  end
end

for _ = 1, count + 100 do
  if #answer > count + 1 then break end
  local due = redis.call('ZRANGE', due_key, 0, 0, 'WITHSCORES')
  wait = due[1] and ms_until(due[2]) or -1
  if wait ~= 0 then
    nothing_else = true
    break
  end
  without_wrong_types(due[1], retention, hand_out, due[1])
end
redis.call('DEL', last_take)
redis.call('HSET', last_take, unpack(taken))
redis.call('EXPIRE', last_take, 120)
if #answer > 2 then refresh_ttl(leases, 3600) end
if shows_typing then
  answer[2] = redis.call('HGETALL', prefix .. 'begun')
  if #answer[2] > 0 then redis.call('DEL', prefix .. 'begun') end
end
if nothing_else then
  redis.call('DEL', prefix .. 'wake') -- nothing else is due: all wake-ups are served
  answer[1] = wait
end
return answer
