-- Marketing templates sent to a customer in the last seven days: marketing:<conversation>, by time. A customer has one
-- conversation with each number of the service; all of them count.
local WEEK_MS = 604800000
local function marketing_key(conversation) return prefix .. 'marketing:' .. conversation end

-- with_all_numbers(conversation) -> the set of the customer's conversations. Their ids may differ: each is made from
-- the address that came first.
local function with_all_numbers(conversation)
  local conversations = { [conversation] = true }
  local addresses = redis.call('HGET', prefix .. 'contact:' .. conversation, 'addresses')
  addresses = addresses or string.match(conversation, ':(.*)$') -- no contact yet
  for _, number in ipairs(redis.call('SMEMBERS', prefix .. 'numbers')) do
    for address in string.gmatch(addresses, '%S+') do
      local name = number .. ':' .. address
      local known = redis.pcall('GET', prefix .. 'alias:' .. name)
      conversations[type(known) == 'string' and known or name] = true
    end
  end
  return conversations
end

-- marketing_since(conversation, since) -> when the customer's templates left after that time (ms), in order.
local function marketing_since(conversation, since)
  local times = {}
  for each in pairs(with_all_numbers(conversation)) do
    -- Keys of a wrong type, of this customer with another number, must not stop this number.
    local flat = redis.pcall('ZRANGEBYSCORE', marketing_key(each), '(' .. since, '+inf', 'WITHSCORES')
    for i = 2, #flat, 2 do times[#times + 1] = tonumber(flat[i]) end
  end
  table.sort(times)
  return times
end

-- marketing_wait(conversation, most, at, id) -> 0, or ms until one more may go. most: 0 for no limit; at: when it is to
-- go (ms), nil for now; id: a send that was counted already may be retried.
local function marketing_wait(conversation, most, at, id)
  if most <= 0 or (id and redis.call('ZSCORE', marketing_key(conversation), id)) then return 0 end
  local since = math.max(at or 0, wall) - WEEK_MS
  local times = marketing_since(conversation, since)
  if #times < most then return 0 end
  return math.max(1, times[#times - most + 1] - since)
end

local function count_marketing(conversation, id)
  local key = marketing_key(conversation)
  redis.call('ZREMRANGEBYSCORE', key, '-inf', wall - WEEK_MS)
  redis.call('ZADD', key, wall, id)
  redis.call('PEXPIRE', key, WEEK_MS)
end
