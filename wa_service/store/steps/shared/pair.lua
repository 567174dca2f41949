-- The customer's own pace (GCRA): a message every 6 s, 45 at once. wa:pair:<c> is when all of the burst is free again.
-- Whoever has used it up waits a little longer than Meta asks: the burst's first message may have been longer on its
-- way than the one that waits will be, and Meta counts from its arrival.
local PAIR_MS, PAIR_BURST, PAIR_MARGIN_MS = 6000, 45, 500

local function pair_free(c)
  local at = math.max(tonumber(redis.call('GET', 'wa:pair:' .. c) or 0), now)
  return math.min(at, now + PAIR_BURST * PAIR_MS)
end

-- pair_wait(at) -> 0, or ms until this customer may get another one; at: what pair_free said.
local function pair_wait(at)
  local over = at - now - (PAIR_BURST - 1) * PAIR_MS
  return over > 0 and over + PAIR_MARGIN_MS or 0
end

local function pair_spend(c, at)
  redis.call('SET', 'wa:pair:' .. c, at + PAIR_MS, 'PX', at + PAIR_MS - now)
end

-- pair_return(c): what was granted never left.
local function pair_return(c)
  local left = pair_free(c) - PAIR_MS - now
  if left > 0 then
    redis.call('SET', 'wa:pair:' .. c, now + left, 'PX', left)
  else
    redis.call('DEL', 'wa:pair:' .. c)
  end
end
