-- The customer's own pace (GCRA): a message every 6 s, 45 at once. pair:<conversation> is when all of the burst is free
-- again. Whoever has used it up waits a little longer than Meta asks: the burst's first message may have been longer on
-- its way than the one that waits will be, and Meta counts from its arrival.
local PAIR_MS, PAIR_BURST, PAIR_MARGIN_MS = 6000, 45, 500

local function pair_free_at(conversation)
  local at = math.max(tonumber(redis.call('GET', prefix .. 'pair:' .. conversation) or 0), now)
  return math.min(at, now + PAIR_BURST * PAIR_MS)
end

-- pair_wait(free_at) -> 0, or ms until this customer may get another message.
local function pair_wait(free_at)
  local over = free_at - now - (PAIR_BURST - 1) * PAIR_MS
  return over > 0 and over + PAIR_MARGIN_MS or 0
end

local function pair_spend(conversation, free_at)
  redis.call('SET', prefix .. 'pair:' .. conversation, free_at + PAIR_MS, 'PX', free_at + PAIR_MS - now)
end

-- pair_refund(conversation): what was granted never left.
local function pair_refund(conversation)
  local key = prefix .. 'pair:' .. conversation
  local left = pair_free_at(conversation) - PAIR_MS - now
  if left > 0 then
    redis.call('SET', key, now + left, 'PX', left)
  else
    redis.call('DEL', key)
  end
end
