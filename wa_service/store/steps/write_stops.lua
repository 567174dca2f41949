-- Write a contact's STOP or START under the digests of its addresses.
-- Return 1, or 0 where its addresses have changed meanwhile and the caller must retry.
-- args: conversation addresses digests...
-- include: allow_when_full clock consent stop
local contact = prefix .. 'contact:' .. conversation
if (redis.call('HGET', contact, 'addresses') or '') ~= addresses then return 0 end
local choice = choice_of(contact)
for _, digest in ipairs(choice and digests or {}) do
  if choice.stop then remember_stop(digest, choice) else forget_stop(digest, choice) end
end
redis.call('SREM', prefix .. 'stops_unwritten', conversation)
return 1
