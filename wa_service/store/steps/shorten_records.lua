-- Free memory when it is nearly full: delete the content of ended sends, oldest first. The rest of a record stays: its
-- statuses, its wamid, its idempotency key. `shortened` is the record at which the last round stopped; after the newest
-- one, rounds begin anew for sends that have ended since.
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
  -- A record gets its ttl when the send ends: one without may still leave.
  if redis.call('TTL', record) > 0 then
    local removed = redis.pcall('HDEL', record, 'body') -- may be of a wrong type
    if removed == 1 then count = count + 1 end
  end
end
if #ids < most then redis.call('DEL', shortened) else redis.call('SET', shortened, ids[#ids], 'EX', 86400) end
return count
