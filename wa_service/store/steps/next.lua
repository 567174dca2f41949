-- include: clock lifetime bell tell lane record reach rate pair
-- Hands out records that may be sent now: pause, throughput, the customer's own pace, daily reach; only heads of
-- lanes. Permission is given here and nowhere else. Asked twice (same counter), the same answer.
-- ARGV 1 n · 2 puller · 3 counter · 4 throughput a second · 5 margin (ms) · 6 claim (ms) · 7 count · 8 keep (s)
--      · 9 WABA · 10 daily limit
-- Returns {ms until asking again is worth it (-1: until the bell), why, {ids that expired}, {id, token, c, type, body,
-- few, pair, ill, origin, ms since queued}...}.
local n, puller, claim, keep = ARGV[1], ARGV[2], tonumber(ARGV[6]), tonumber(ARGV[8])
local expired = {}
local answer = { 0, '', expired }
redis.call('DEL', 'wa:none')
local memo = 'wa:gave:' .. puller .. ':' .. n

local function work(id)
  local v = redis.call('HMGET', key(id), 'token', 'c', 'type', 'body', 'few', 'pair', 'ill', 'origin', 's:queued')
  return { id, tonumber(v[1]), v[2], v[3], v[4] or '', tonumber(v[5] or 0), tonumber(v[6] or 0), tonumber(v[7] or 0),
    v[8] or '', now - tonumber(v[9] or now) }
end

local count = tonumber(ARGV[7])
local p = 'wa:pause:' .. n
local pause = redis.call('HMGET', p, 'until', 'probe')

-- The claim begins: until it ends the message counts as on its way, and a probe's number as paused.
local function claimed(id, token)
  redis.call('ZADD', 'wa:busy', now + claim, id)
  count_from(n, id .. ':' .. token, now + claim)
  redis.call('HSET', key(id), 'claimed', now)
end

local before = redis.call('LRANGE', memo, 0, -1)
if before[1] == ARGV[3] then
  for i = 2, #before, 2 do
    local id, token = before[i], before[i + 1]
    if redis.call('HGET', key(id), 'token') == token and redis.call('ZSCORE', 'wa:busy', id) then
      claimed(id, token)
      if pause[2] == id then redis.call('HSET', p, 'until', now + claim) end
      answer[#answer + 1] = work(id)
    end
  end
  if #answer > 3 then return answer end
end

if pause[1] then
  local ms = ahead(pause[1])
  if ms > 0 then return { ms, 'pause', expired } end
  count = 1 -- the probe
end

local throughput = tonumber(redis.call('HGET', 'wa:said:' .. n, 'throughput') or ARGV[4])
local pace = redis.call('HMGET', 'wa:pace:' .. n, 'n', 'grown')
if pace[1] then
  local at, grown = tonumber(pace[1]), tonumber(pace[2])
  local good = math.floor((now - grown) / 1000)
  if good > 0 then
    at = at * 1.01 ^ good
    if at >= throughput then
      redis.call('DEL', 'wa:pace:' .. n)
    else
      redis.call('HSET', 'wa:pace:' .. n, 'n', tostring(at), 'grown', grown + good * 1000)
    end
  end
  throughput = math.max(1, math.min(throughput, math.floor(at)))
end

local margin = tonumber(ARGV[5])

local wait, why = -1, 'idle'
local function sooner(ms, reason)
  if wait < 0 or ms < wait then wait, why = ms, reason end
end

-- The first head of this priority that may go; heads that may not are told when to come back.
local function candidate(z)
  for _ = 1, 64 do
    local first = redis.call('ZRANGE', z, 0, 0, 'WITHSCORES')
    if not first[1] then return nil end
    if ahead(first[2]) > 0 then
      sooner(ahead(first[2]), 'later')
      return nil
    end
    local c = first[1]
    local id = redis.call('LINDEX', 'wa:q:' .. c, 0)
    if not id then
      redis.call('ZREM', z, c)
    else
      local v = redis.call('HMGET', key(id), 'expires', 'reach', 'token', 'rank', 'type')
      local pair = pair_free(c)
      if not v[1] then
        leave(n, c, id)
      elseif tonumber(v[1]) <= now then
        vacate(id, c)
        fail(id, c, '{"reason":"expired","title":"It waited longer than its ttl."}', keep)
        leave(n, c, id)
        expired[#expired + 1] = id
      elseif pair_wait(pair) > 0 then
        redis.call('ZADD', z, now + pair_wait(pair), c)
      else
        local blocked = v[5] == 'template' and reserve_to_leave(ARGV[9], c, ARGV[10], id) or 0
        if blocked > 0 then
          redis.call('HSET', key(id), 'reach', 'wait')
          redis.call('ZADD', z, now + math.min(blocked, 60000), c)
        else
          if v[2] then redis.call('HDEL', key(id), 'reach') end
          pair_spend(c, pair)
          return id, c, tonumber(v[3] or 0) + 1, tonumber(v[4] or 0)
        end
      end
    end
  end
  sooner(1, 'more')
  return nil
end

local high, low = 'wa:out:' .. n .. ':0', 'wa:out:' .. n .. ':1'
local given = { ARGV[3] }
local turn = tonumber(redis.call('GET', 'wa:turn:' .. n) or 0)
local even = spread(n, throughput)
while #answer - 3 < count do
  local ms = math.max(room(n, throughput, margin), even.wait())
  if ms > 0 then
    sooner(ms, 'throughput')
    break
  end
  local first, second = high, low
  turn = turn + 1
  if turn % 10 == 0 then first, second = low, high end
  local id, c, token, rank_now = candidate(first)
  if not id then id, c, token, rank_now = candidate(second) end
  if not id then break end
  withdraw(n, c)
  claimed(id, token)
  redis.call('SADD', 'wa:claims:' .. puller, id)
  even.grant()
  redis.call('HSETNX', key(id), 's:sending', now)
  redis.call('HSET', key(id), 'token', token, 'puller', puller, 'status', 'sending',
    'rank', math.max(rank_now, RANK.sending))
  if pause[1] then redis.call('HSET', p, 'until', now + claim, 'probe', id) end
  given[#given + 1] = id
  given[#given + 1] = token
  answer[#answer + 1] = work(id)
end
if #answer > 3 then
  redis.call('SET', 'wa:turn:' .. n, turn, 'EX', 86400)
  even.keep()
  redis.call('DEL', memo)
  redis.call('RPUSH', memo, unpack(given))
  redis.call('EXPIRE', memo, 120)
  renew('wa:claims:' .. puller, 86400)
end
if #answer - 3 < count then
  redis.call('DEL', 'wa:outbell:' .. n) -- nothing else may go: what rang has been heard
  answer[1], answer[2] = wait, why
end
return answer
