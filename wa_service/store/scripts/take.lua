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
    redis.call('HSET', lane, 'head', mark, 'takes', takes, 'fails', fails, 'token', token)
    renew(lane, 691200)
    redis.call('ZADD', 'wa:due', now + lease, c)
    redis.call('HSET', held, c, token)
    taken[#taken + 1] = c
    taken[#taken + 1] = token
    answer[#answer + 1] = { c, token, takes, fails, head, redis.call('HGETALL', 'wa:contact:' .. c) }
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
