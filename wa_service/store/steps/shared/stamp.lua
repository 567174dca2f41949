-- Set fields of an existing contact to times. stamps: field → ms from now.
local function stamp_contact(conversation, stamps)
  local contact = prefix .. 'contact:' .. conversation
  if redis.call('EXISTS', contact) == 0 then return end
  for field, offset in pairs(stamps) do redis.call('HSET', contact, field, wall + offset) end
end
