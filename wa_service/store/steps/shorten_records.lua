-- Memory is nearly full: what sends said that have ended is forgotten before its time, the oldest first. All else of a
-- record stays: its statuses, its wamid, what an idempotency key leads to. `shortened` is how far the rounds came: at
-- the newest they begin anew, for what had not ended meanwhile.
-- Return how many records were shortened, of `most` that were looked at.
-- args: most:number
-- include: allow_when_full
local sends, shortened = prefix .. 'sends', prefix .. 'shortened'
local last = redis.call('GET', shortened)
local from = last and (redis.call('ZRANK', sends, last) or -1) + 1 or 0
local ids = redis.call('ZRANGE', sends, from, from + most - 1)
local count = 0
for _, id in ipairs(ids) do
  local record = prefix .. 'record:' .. id
  -- A send's lifetime begins with its end: what has none may still leave.
  if redis.call('TTL', record) > 0 then
    local removed = redis.pcall('HDEL', record, 'body') -- another version's may be no hash
    if removed == 1 then count = count + 1 end
  end
end
if #ids < most then redis.call('DEL', shortened) else redis.call('SET', shortened, ids[#ids], 'EX', 86400) end
return count
