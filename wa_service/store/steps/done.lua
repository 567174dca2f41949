-- include: clock lifetime bell tell identity lane record pause rate reach pair
-- How a send ended. "accepted" is written whatever happened meanwhile (accepted beats unknown); the rest only by
-- the claim's holder.
-- ARGV 1 id · 2 token · 3 outcome: accepted | later | failed | unknown · 4 keep (s) · 5 details (JSON): wamid, mark
--      (digest of n + wamid), wa_id, delay (ms), counts (few | pair | ill), error {…}, code, health (well | ill | ""),
--      never_left (bool), reason, settle (ms), took (ms: the call to Meta), ago (ms since it ended)
-- Returns {1 or 0 (not the claim's holder) or -1 (no such record), status, ms from queued to now, id that follows}.
local PROBE_AGAIN_MS = 5000
redis.call('DEL', 'wa:none')
local id, outcome, keep, d = ARGV[1], ARGV[3], tonumber(ARGV[4]), cjson.decode(ARGV[5])
local v = redis.call('HMGET', key(id), 'token', 'n', 'c', 's:queued', 'puller', 'claimed', 'wamid', 's:accepted', 'rank')
if not v[2] then return { -1, '', 0, '' } end
local n, c = v[2], v[3]
local took = now - tonumber(v[4] or now)
landed(n, id .. ':' .. ARGV[2], d.took or now - tonumber(v[6] or now), d.ago or 0, outcome == 'accepted')

if outcome == 'accepted' then
  local facts = { 'wamid', v[7] or d.wamid, 's:accepted', v[8] or now }
  if tonumber(v[9] or 0) < RANK.accepted then
    for _, fact in ipairs({ 'status', 'accepted', 'rank', RANK.accepted }) do facts[#facts + 1] = fact end
  end
  redis.call('HSET', key(id), unpack(facts))
  redis.call('SET', 'wa:w:' .. d.mark, id, 'EX', keep)
  redis.call('ZREM', 'wa:doubt', id)
  if redis.call('HGET', key(id), 'status') ~= 'failed' then redis.call('HDEL', key(id), 'error') end
  ended(id, keep)
  report(id, c, 'accepted', keep)
end

-- The probe says whether the pause is over. What was under way when it began cannot take back what Meta asked for, nor
-- that a person must act; but where Meta only seemed unwell, a message that it took since then says that it is not.
local p = 'wa:pause:' .. n
local pause = redis.call('HMGET', p, 'probe', 'reason')
if pause[1] ~= id then
  if outcome == 'accepted' and pause[2] == 'meta_unwell' then redis.call('DEL', p) end
elseif d.health == 'well' then
  redis.call('DEL', p)
elseif d.health == 'ill' then
  hold(n, d.reason or 'meta_unwell', 0, id)
elseif outcome == 'later' then
  -- It met its own process's open breaker, so it has shown nothing: another one soon.
  redis.call('HSET', p, 'until', now + math.min(d.delay, PROBE_AGAIN_MS), 'probe', '')
end

if v[1] ~= ARGV[2] or redis.call('ZREM', 'wa:busy', id) == 0 then
  -- Given up meanwhile and queued once more, but Meta has it: whoever sends it now is left alone.
  if outcome == 'accepted' and not redis.call('ZSCORE', 'wa:busy', id) then drop(n, c, id) end
  return { outcome == 'accepted' and 1 or 0, redis.call('HGET', key(id), 'status'), took, '' }
end
redis.call('SREM', 'wa:claims:' .. (v[5] or ''), id)
-- A status overtook the answer that got lost, or said no before we could: Meta has the message.
if outcome ~= 'accepted' and rank(id) >= RANK.accepted then
  leave(n, c, id)
  ended(id, keep)
  return { 1, redis.call('HGET', key(id), 'status'), took, '' }
end

local follows = ''
if outcome == 'later' then
  redis.call('HSET', key(id), 'status', 'queued', 'rank', 0)
  if d.never_left then pair_return(c) end
  if d.counts then redis.call('HINCRBY', key(id), d.counts, 1) end
  if d.error then redis.call('HSET', key(id), 'error', cjson.encode(d.error)) end
  if redis.call('EXISTS', 'wa:q:' .. c) == 1 then offer(n, c, now + d.delay) end -- else its customer is forgotten
elseif outcome == 'unknown' then
  if d.error then redis.call('HSET', key(id), 'error', cjson.encode(d.error)) end
  rise(id, 'unknown', now)
  redis.call('HSET', key(id), 'status', 'unknown')
  redis.call('ZADD', 'wa:doubt', now + d.settle, id)
  leave(n, c, id)
  answer(id)
  report(id, c, 'unknown', keep)
elseif outcome == 'failed' then
  if d.code == 131047 and fall_back(id, n, c, keep) then follows = redis.call('HGET', key(id), 'fallback_id') end
  vacate(id, c)
  fail(id, c, cjson.encode(d.error), keep)
  leave(n, c, id)
else
  leave(n, c, id)
  -- Who is forgotten meanwhile is not known again by the answer to what was being sent.
  if d.wa_id and d.wa_id ~= '' and redis.call('EXISTS', 'wa:contact:' .. c) == 1 then
    resolve(n, { string.match(c, ':(.*)$'), d.wa_id }, keep)
  end
end
return { 1, redis.call('HGET', key(id), 'status'), took, follows }
