-- The pair limit (GCRA): a message every 6 s, 45 at once. pair:<conversation> is when the whole burst is available
-- again. Once it is used up, the wait is a little longer than Meta's: Meta counts from arrival, and the burst's first
-- message may have taken longer to arrive than the waiting one will.
local PAIR_MS, PAIR_BURST, PAIR_MARGIN_MS = 6000, 45, 500

local function pair_free_at(conversation)
  local at = math.max(tonumber(redis.call('GET', prefix .. 'pair:' .. conversation) or 0), now)
  return math.min(at, now + PAIR_BURST * PAIR_MS)
end

-- pair_wait(free_at) -> 0, or ms until another message may go to this customer.
local function pair_wait(free_at)
  local over = free_at - now - (PAIR_BURST - 1) * PAIR_MS
  return over > 0 and over + PAIR_MARGIN_MS or 0
end

local function pair_spend(conversation, free_at)
  redis.call('SET', prefix .. 'pair:' .. conversation, free_at + PAIR_MS, 'PX', free_at + PAIR_MS - now + CLOCK_AHEAD_MS)
end

-- pair_refund(conversation): give back a grant whose message never left.
local function pair_refund(conversation)
  local key = prefix .. 'pair:' .. conversation
  local left = pair_free_at(conversation) - PAIR_MS - now
  if left > 0 then
    redis.call('SET', key, now + left, 'PX', left + CLOCK_AHEAD_MS)
  else
    redis.call('DEL', key)
  end
end
