-- The lane of a conversation: q:<c>, a list of record ids, whose head stays until it ended. While a head waits
-- for its turn, the conversation is a member of out:<n>:<priority>; while its head is being sent it is in
-- neither: scoring it there instead let `next` and `reap` race (43 of 1,200 were sent twice).
local LANE_SECONDS = 691200

-- A lane that holds a reply is urgent until that reply is gone: what stands before it in the lane goes with it.
local function priority(c)
  if redis.call('HEXISTS', 'wa:lane:' .. c, 'urgent') == 1 then return '0' end
  return '1'
end

local function offer(n, c, at)
  redis.call('ZADD', 'wa:out:' .. n .. ':' .. priority(c), at, c)
  if at <= now then ring('wa:outbell:' .. n) end
end

local function withdraw(n, c)
  redis.call('ZREM', 'wa:out:' .. n .. ':0', c)
  redis.call('ZREM', 'wa:out:' .. n .. ':1', c)
end

-- take_out(c, id) -> whether the record stood in the lane. The field names the urgent one that stands last, so where
-- it leaves from behind others (a status took it, a fallback came before it), the last of those may be urgent, too.
local function take_out(c, id)
  local q, lane = 'wa:q:' .. c, 'wa:lane:' .. c
  if redis.call('HGET', lane, 'urgent') == id then
    redis.call('HDEL', lane, 'urgent')
    for i = (redis.call('LPOS', q, id) or 0) - 1, 0, -1 do
      local other = redis.call('LINDEX', q, i)
      if redis.call('HGET', 'wa:rec:' .. other, 'urgent') == '1' then
        redis.call('HSET', lane, 'urgent', other)
        break
      end
    end
  end
  return redis.call('LREM', q, 1, id) == 1
end

-- leave(n, c, id): the record is no longer in its lane; the next head may go.
local function leave(n, c, id)
  take_out(c, id)
  withdraw(n, c)
  if redis.call('EXISTS', 'wa:q:' .. c) == 1 then offer(n, c, now) end
end

-- Whether the head is a template for which the daily reach had no place: what comes now may be the answer to a
-- customer who wrote meanwhile, so that the window is open.
local function waits_for_reach(q)
  return redis.call('HEXISTS', 'wa:rec:' .. redis.call('LINDEX', q, 0), 'reach') == 1
end

-- enter(n, c, id, urgent, at_head): a record joins its lane.
local function enter(n, c, id, urgent, at_head)
  local q = 'wa:q:' .. c
  local length = redis.call(at_head and 'LPUSH' or 'RPUSH', q, id)
  if urgent then
    redis.call(at_head and 'HSETNX' or 'HSET', 'wa:lane:' .. c, 'urgent', id)
    renew('wa:lane:' .. c, LANE_SECONDS)
  end
  if length == 1 then
    offer(n, c, now)
  elseif urgent then
    local low, high = 'wa:out:' .. n .. ':1', 'wa:out:' .. n .. ':0'
    local at = redis.call('ZSCORE', low, c)
    if (at or redis.call('ZSCORE', high, c)) and waits_for_reach(q) then at = now end
    if at then
      redis.call('ZREM', low, c)
      offer(n, c, tonumber(at))
    end
  end
end

-- drop(n, c, id): a record that is not being sent leaves its lane, wherever in it it stands; who is being sent stays.
local function drop(n, c, id)
  if not take_out(c, id) then return end
  if redis.call('EXISTS', 'wa:q:' .. c) == 0 then withdraw(n, c) end
end
