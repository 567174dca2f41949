-- include: clock bell
-- A worker that stops, or whose process died, no longer holds anything: its conversations are due at once, and
-- what it was sending has no known outcome (the claim ends now; `reap` does the rest).
-- ARGV 1 puller · 2 "stopped" (its takes are given back) or "died". Returns how much it held.
redis.call('DEL', 'wa:none')
local held = 'wa:held:' .. ARGV[1]
local all = redis.call('HGETALL', held)
for i = 1, #all, 2 do
  local c, token = all[i], all[i + 1]
  local lane = 'wa:lane:' .. c
  if redis.call('HGET', lane, 'token') == token then
    redis.call('HINCRBY', lane, 'token', 1)
    if ARGV[2] == 'stopped' then redis.call('HINCRBY', lane, 'takes', -1) end
    redis.call('ZADD', 'wa:due', 'XX', now, c)
    ring('wa:bell')
  end
end
local claims = redis.call('SMEMBERS', 'wa:claims:' .. ARGV[1])
for _, id in ipairs(claims) do redis.call('ZADD', 'wa:busy', 'XX', now, id) end
redis.call('ZREM', 'wa:alive', ARGV[1])
redis.call('DEL', held, 'wa:claims:' .. ARGV[1], 'wa:took:' .. ARGV[1])
return #all / 2 + #claims
