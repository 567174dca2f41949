-- The throughput of a number, which Meta counts over sent and received messages together. rate:<number> is a sorted set
-- of sends by the time from which they count for a second, received:<number> of received messages by arrival.
-- A send counts from the latest time at which Meta may have received it. Our own queue and the network lie between
-- grant and arrival: on a busy machine, 80 grants of one instant arrive over 800 ms, and the next ones at once. So a
-- send counts while it is in flight, and then from its answer less half of the fastest round trip of the last minute. A
-- new grant arrives no sooner than after the other half: together the halves are one round trip, however it is split.
local ROUND_TRIP_SECONDS = 60
local IN_FLIGHT_MS = 50 -- all of a second's messages are in flight: it is not known when the first one lands
-- The share of the throughput that is kept for sends, however much customers write.
local REPLY_SHARE, BULK_SHARE = 1 / 2, 1 / 4
-- The share of what may be sent that bulk sends leave free, so that a reply goes at once.
local KEPT_FROM_BULK = 1 / 10

-- half_round_trip(number) -> ms; 0 until a hundred sends have landed: the fastest of a first burst measures its own
-- queue.
local function half_round_trip(number)
  local v = redis.call('HMGET', prefix .. 'round_trip:' .. number, 'fastest', 'seen')
  return tonumber(v[2] or 0) >= 100 and math.floor(tonumber(v[1]) / 2) or 0
end

local function count_in(set, member, at)
  redis.call('ZADD', set, at, member)
  redis.call('ZREMRANGEBYSCORE', set, '-inf', now - 2000)
  refresh_ttl(set, 60 + CLOCK_AHEAD_MS / 1000) -- longer than a claim
end

local function count_sent(number, member, at) count_in(prefix .. 'rate:' .. number, member, at) end
local function count_received(number, member) count_in(prefix .. 'received:' .. number, member, now) end

-- throughput_of(number, throughput, margin) -> wait(share, kept) -> 0, or ms until another message may go. share: of
-- the throughput, whatever was received; kept: the part beyond that share that is left to others.
local function throughput_of(number, throughput, margin)
  local rate, received = prefix .. 'rate:' .. number, prefix .. 'received:' .. number
  local window = 1000 + margin - half_round_trip(number)
  local arrived = redis.call('ZCOUNT', received, '(' .. now - window, '+inf')
  return function(share, kept)
    local own = math.max(share > 0 and 1 or 0, math.ceil(throughput * share))
    local counted = math.min(arrived, throughput - own)
    local sends = throughput - counted
    if kept then sends = math.max(math.min(own, sends), sends - math.ceil(throughput * kept)) end
    local ms = 0
    if sends > 0 then
      local nth = redis.call('ZRANGE', rate, -sends, -sends, 'WITHSCORES')
      if not nth[1] then return 0 end
      ms = window - (now - tonumber(nth[2]))
      if ms <= 0 then return 0 end
      if ms > window then ms = IN_FLIGHT_MS end
    end
    if counted > 0 then
      local oldest = redis.call('ZRANGE', received, -counted, -counted, 'WITHSCORES')
      local leaves = math.max(1, window - (now - tonumber(oldest[2])))
      ms = sends > 0 and math.min(ms, leaves) or leaves
    end
    return ms
  end
end

-- count_landed(number, member, took, ago, accepted): a send is no longer in flight. Its call took `took` ms and ended
-- `ago` ms ago; accepted: whether Meta accepted it.
local function count_landed(number, member, took, ago, accepted)
  if not redis.call('ZSCORE', prefix .. 'rate:' .. number, member) then return end
  local round_trip = prefix .. 'round_trip:' .. number
  count_sent(number, member, now - ago - math.min(half_round_trip(number), math.floor(took / 2)))
  if accepted then
    local fastest = redis.call('HGET', round_trip, 'fastest')
    if not fastest or took < tonumber(fastest) then redis.call('HSET', round_trip, 'fastest', took) end
    if redis.call('HINCRBY', round_trip, 'seen', 1) == 1 then redis.call('EXPIRE', round_trip, ROUND_TRIP_SECONDS) end
  end
end

-- spacing(key, throughput, faster): space out grants. A few go at once, the next ones a quarter faster than the
-- throughput: a burst of a whole second queues here and at Meta, its arrival times are uncertain, and later sends wait
-- for them (5 % of the throughput, more on a busy machine). Bulk sends go at an even pace: a quarter faster they would
-- use up a second early, and a reply would have to wait for the next one.
local AT_ONCE, FASTER = 10, 1.25
local ROUNDING_MS = 0.01 -- tolerates rounding in sums of fractions

local function spacing(key, throughput, faster)
  key = prefix .. key
  local step = 1000 / throughput / faster
  -- When the next grant is due at an even pace, at most a second ahead.
  local even = math.max(now, tonumber(redis.call('GET', key) or 0))
  if even > now + 1000 + step then even = now end
  local early = (math.max(AT_ONCE, math.floor(throughput / 8)) - 1) * step
  return {
    wait = function() return math.max(0, math.ceil(even - now - early - ROUNDING_MS)) end,
    grant = function() even = even + step end,
    save = function() redis.call('SET', key, tostring(even), 'PX', math.ceil(even - now) + CLOCK_AHEAD_MS) end,
  }
end
