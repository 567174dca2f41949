-- Write a contact's STOP or START under the digests of its addresses.
-- Return 1, or 0 where its addresses have changed meanwhile and the caller must retry.
-- args: conversation addresses digests...
-- include: allow_when_full clock consent stop
local contact = prefix .. 'contact:' .. conversation
if (redis.call('HGET', contact, 'addresses') or '') ~= addresses then return 0 end
local word = word_of(contact)
for _, digest in ipairs(word and digests or {}) do
  if word.stop then remember_stop(digest, word) else forget_stop(digest, word) end
end
redis.call('SREM', prefix .. 'stops_unwritten', conversation)
return 1
