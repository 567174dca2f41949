-- include: clock lifetime
-- Up to COUNT conversations whose turn it is, each with its head, under a lease; asked twice (same counter), the
-- same answer. Tries are counted here, so that work which kills its process is counted too.
-- ARGV 1 puller · 2 counter · 3 lease (ms) · 4 count · 5 ceiling of unsent replies
-- Returns {ms until asking again is worth it (-1: until the bell), {c, token, takes, fails, head, contact}...}.
redis.call('DEL', 'wa:none')
local puller, lease, count = ARGV[1], tonumber(ARGV[3]), tonumber(ARGV[4])
local memo, held = 'wa:took:' .. puller, 'wa:held:' .. puller

local function work(c, token)
  local lane = redis.call('HMGET', 'wa:lane:' .. c, 'takes', 'fails')
  local head = redis.call('ZRANGE', 'wa:box:' .. c, 0, 0)[1]
  if not head then return nil end
  return { c, token, tonumber(lane[1] or 0), tonumber(lane[2] or 0), head, redis.call('HGETALL', 'wa:contact:' .. c) }
end

-- Takes that came to no end make a suspect: its process died, or nobody knows. What is taken beside the one that kills
-- is suspected with it, so after two such takes at most eight of them are held by a puller at once, after three one
-- alone: within a death or two only the guilty one is left, and whatever else is new goes on beside it.
local function suspicion(unended)
  if unended < 2 then return 0 end
  return unended == 2 and 1 / 8 or 1
end

local suspected
local function room_for(suspect)
  if suspect == 0 then return true end
  if not suspected then
    suspected = 0
    local all = redis.call('HGETALL', held)
    for i = 1, #all, 2 do
      local lane = redis.call('HMGET', 'wa:lane:' .. all[i], 'token', 'takes', 'fails')
      if lane[1] == all[i + 1] then
        suspected = suspected + suspicion(tonumber(lane[2] or 0) - 1 - tonumber(lane[3] or 0))
      end
    end
  end
  if suspected + suspect > 1 then return false end
  suspected = suspected + suspect
  return true
end

local before = redis.call('HGETALL', memo)
local again = {}
for i = 1, #before, 2 do again[before[i]] = before[i + 1] end
if again['#'] == ARGV[2] then
  local answer = { 0 }
  for c, token in pairs(again) do
    if c ~= '#' and redis.call('HGET', 'wa:lane:' .. c, 'token') == token then
      redis.call('ZADD', 'wa:due', 'XX', now + lease, c) -- the work begins now, so its lease does
      answer[#answer + 1] = work(c, tonumber(token))
    end
  end
  if #answer > 1 then return answer end
end

local answer, taken, wait, all = { 0 }, { '#', ARGV[2] }, -1, false
for _ = 1, count + 100 do
  if #answer > count then break end
  local due = redis.call('ZRANGE', 'wa:due', 0, 0, 'WITHSCORES')
  wait = due[1] and ahead(due[2]) or -1
  if wait ~= 0 then
    all = true
    break
  end
  local c = due[1]
  local head = redis.call('ZRANGE', 'wa:box:' .. c, 0, 0)[1]
  if not head then
    redis.call('ZREM', 'wa:due', c)
  elseif redis.call('LLEN', 'wa:q:' .. c) >= tonumber(ARGV[5]) then
    redis.call('ZADD', 'wa:due', now + 500, c)
  else
    local lane = 'wa:lane:' .. c
    local mark = redis.sha1hex(head)
    local v = redis.call('HMGET', lane, 'head', 'takes', 'fails', 'token')
    if v[1] ~= mark then v[2], v[3] = 0, 0 end
    local takes, fails, token = tonumber(v[2] or 0) + 1, tonumber(v[3] or 0), tonumber(v[4] or 0) + 1
    if room_for(suspicion(takes - 1 - fails)) then
      redis.call('HSET', lane, 'head', mark, 'takes', takes, 'fails', fails, 'token', token)
      renew(lane, 691200)
      redis.call('ZADD', 'wa:due', now + lease, c)
      redis.call('HSET', held, c, token)
      taken[#taken + 1] = c
      taken[#taken + 1] = token
      answer[#answer + 1] = { c, token, takes, fails, head, redis.call('HGETALL', 'wa:contact:' .. c) }
    else
      redis.call('ZADD', 'wa:due', now + 100, c)
    end
  end
end
if #answer > 1 then
  redis.call('DEL', memo)
  redis.call('HSET', memo, unpack(taken))
  redis.call('EXPIRE', memo, 120)
  renew(held, 3600)
end
if all then
  redis.call('DEL', 'wa:bell') -- nothing else is due: what rang has been heard
  answer[1] = wait
end
return answer
