-- What a contact says about marketing is written under the digests of its addresses, which are as they were read.
-- Return 1, or 0: its addresses have changed, so it is to be done again.
-- args: conversation addresses digests...
-- include: allow_when_full clock lifetime wake thread events stop
local v = redis.call('HMGET', prefix .. 'contact:' .. conversation, 'addresses', 'stopped_at', 'stopped_by', 'started_at')
if (v[1] or '') ~= addresses then return 0 end
for _, digest in ipairs(digests) do
  if v[2] then
    remember_stop(digest, tonumber(v[2]), v[3])
  elseif v[4] then
    forget_stop(digest, tonumber(v[4]))
  end
end
redis.call('SREM', prefix .. 'stops_unwritten', conversation)
return 1
