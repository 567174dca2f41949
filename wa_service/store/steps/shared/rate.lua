-- The throughput of a number, sent and received: rate:<number>, a sorted set of messages by the moment from which they
-- count for a second. A send counts from when Meta may have got it at the latest: between our grant and Meta lie our own
-- queue and the network, and on a busy machine 80 grants of one instant arrived over 800 ms, the next ones at once
-- (135 in Meta's worst second). So it counts all the time while it is on its way, and then from its answer, less
-- half of the fastest round trip of the last minute; and what is granted now arrives no sooner than after the other
-- half. (Together the two halves are the whole way there and back, however unevenly it is split.)
local RATE_SECONDS = 60 -- longer than a claim
local IN_FLIGHT_MS = 50 -- all of a second's messages are on their way: when the first will have landed nobody knows

-- half_round_trip(number) -> ms; 0 until a hundred have landed: the fastest of a first burst is the burst's own queue.
local function half_round_trip(number)
  local v = redis.call('HMGET', prefix .. 'round_trip:' .. number, 'fastest', 'seen')
  return tonumber(v[2] or 0) >= 100 and math.floor(tonumber(v[1]) / 2) or 0
end

local function count_from(number, member, at)
  local rate = prefix .. 'rate:' .. number
  redis.call('ZADD', rate, at, member)
  redis.call('ZREMRANGEBYSCORE', rate, '-inf', now - 2000)
  refresh_ttl(rate, RATE_SECONDS)
end

-- throughput_wait(number, throughput, margin) -> 0, or ms until another message may go.
local function throughput_wait(number, throughput, margin)
  local rate = prefix .. 'rate:' .. number
  -- What counts from later than any claim ends was written before the clock was turned back.
  redis.call('ZREMRANGEBYSCORE', rate, now + RATE_SECONDS * 1000, '+inf')
  local nth = redis.call('ZRANGE', rate, -throughput, -throughput, 'WITHSCORES')
  if not nth[1] then return 0 end
  local since = now - tonumber(nth[2])
  if since < 0 then return IN_FLIGHT_MS end
  return math.max(0, 1000 + margin - since - half_round_trip(number))
end

-- count_landed(number, member, took, ago, accepted): a send is no longer on its way; its call took `took` ms and ended
-- `ago` ms ago; `accepted`: Meta took it.
local function count_landed(number, member, took, ago, accepted)
  if not redis.call('ZSCORE', prefix .. 'rate:' .. number, member) then return end
  local round_trip = prefix .. 'round_trip:' .. number
  count_from(number, member, now - ago - math.min(half_round_trip(number), math.floor(took / 2)))
  if accepted then
    local fastest = redis.call('HGET', round_trip, 'fastest')
    if not fastest or took < tonumber(fastest) then redis.call('HSET', round_trip, 'fastest', took) end
    if redis.call('HINCRBY', round_trip, 'seen', 1) == 1 then redis.call('EXPIRE', round_trip, RATE_SECONDS) end
  end
end

-- spacing(number, throughput): grants come apart. A few go at once, the next ones a quarter faster than Meta takes them:
-- a burst of all 80 met itself in our own queues and at Meta, so that nobody knew when each had arrived, and each one
-- since waited for that (5 % of the allowance, more on a busy machine).
local AT_ONCE, FASTER = 10, 1.25

local function spacing(number, throughput)
  local key = prefix .. 'spacing:' .. number
  local step = 1000 / throughput / FASTER
  -- When the next one is due at an even pace; further ahead than a second's messages the clock was turned back.
  local even = math.max(now, tonumber(redis.call('GET', key) or 0))
  if even > now + 1000 + step then even = now end
  local early = (math.max(AT_ONCE, math.floor(throughput / 8)) - 1) * step
  return {
    wait = function() return math.max(0, math.ceil(even - now - early)) end,
    grant = function() even = even + step end,
    save = function() redis.call('SET', key, tostring(even), 'PX', math.ceil(even - now) + 1000) end,
  }
end
