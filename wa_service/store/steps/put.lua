-- include: clock lifetime bell tell identity lane put reach
-- A send is asked for. Asked again under the same idempotency key, the answer is the record as it is.
-- ARGV 1 spec of put (JSON) · 2 keep (s) · 3 idempotency key ("" none) · 4 fingerprint of the request · 5 ms the
--      caller waits for the answer · 6 ceiling of a lane · 7 WABA · 8 daily limit · 9 "1": opens by template
--      · 10 address: one, for aliases come from Meta alone
-- A bulk send waits for its reservation, others are refused.
-- Returns {"queued", id} · {"replayed", id} · {"waiting", id} · {"conflict", id} · {"full"} · {"reach", ms}.
local spec, idem = cjson.decode(ARGV[1]), ARGV[3]
if idem ~= '' then
  local first = redis.call('HMGET', idem, 'fingerprint', 'id', 'until')
  if first[1] then
    if first[1] ~= ARGV[4] then return { 'conflict', first[2] } end
    local status = redis.call('HGET', 'wa:rec:' .. first[2], 'status')
    if status then
      if tonumber(first[3]) > now and (status == 'queued' or status == 'sending') then return { 'waiting', first[2] } end
      return { 'replayed', first[2] }
    end
  end
end
local address = ARGV[10]
local c = redis.call('GET', 'wa:who:' .. spec.n .. ':' .. address) or spec.n .. ':' .. address
if redis.call('LLEN', 'wa:q:' .. c) >= tonumber(ARGV[6]) then return { 'full' } end
if ARGV[9] == '1' then
  local wait, place = reserve(ARGV[7], c, ARGV[8], false)
  if wait > 0 and spec.priority ~= 'bulk' then return { 'reach', wait } end
  spec.place = place
end
c = resolve(spec.n, { address }, tonumber(ARGV[2]))
if idem ~= '' then
  redis.call('HSET', idem, 'fingerprint', ARGV[4], 'id', spec.id, 'until', now + ARGV[5])
  redis.call('EXPIRE', idem, math.floor(spec.ttl / 1000) + tonumber(ARGV[2]))
  spec.idem = idem
end
put(spec, c)
return { 'queued', spec.id }
