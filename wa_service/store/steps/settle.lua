-- include: clock lifetime bell tell lane record
-- What becomes of a send with no known outcome when no status ever named it: once three messages that the same
-- number had accepted after it have had a status, Meta's silence means no. If a webhook of ours was refused since
-- (or a web process started), silence proves less: twelve times as long.
-- ARGV 1 settle (ms) · 2 keep (s) · 3 "1": send once more what is no template and may still wait. Returns {id, verdict, ...}.
redis.call('DEL', 'wa:none')
local settle, keep, verdicts = tonumber(ARGV[1]), tonumber(ARGV[2]), {}
local refused = tonumber(redis.call('GET', 'wa:refused_at') or 0)
local function after(n, since)
  local count = 0
  for _, accepted in ipairs(redis.call('LRANGE', 'wa:heard:' .. n, 0, -1)) do
    if tonumber(accepted) > since then count = count + 1 end
  end
  return count
end
for _, id in ipairs(redis.call('ZRANGEBYSCORE', 'wa:doubt', '-inf', now, 'LIMIT', 0, 100)) do
  local v = redis.call('HMGET', key(id), 'n', 'c', 'claimed', 'type', 'resent', 'body', 'expires')
  local since = tonumber(v[3] or 0)
  if not v[1] then
    redis.call('ZREM', 'wa:doubt', id)
  elseif refused > since and refused <= now and now < since + 12 * settle then
    redis.call('ZADD', 'wa:doubt', since + 12 * settle, id)
  elseif after(v[1], since) < 3 then
    redis.call('ZADD', 'wa:doubt', now + math.min(5000, settle), id)
  elseif ARGV[3] == '1' and v[4] ~= 'template' and not v[5] and v[6] and tonumber(v[7] or 0) > now then
    redis.call('ZREM', 'wa:doubt', id)
    redis.call('HSET', key(id), 'resent', now, 'status', 'queued', 'rank', 0)
    enter(v[1], v[2], id, false, false)
    verdicts[#verdicts + 1] = id
    verdicts[#verdicts + 1] = 'resent'
  else
    redis.call('ZREM', 'wa:doubt', id)
    fail(id, v[2], '{"reason":"no_word_from_meta","title":"Meta neither confirmed nor refused it."}', keep)
    verdicts[#verdicts + 1] = id
    verdicts[#verdicts + 1] = 'failed'
  end
end
return verdicts
