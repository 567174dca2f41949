-- is_called(conversation, wanted) -> whether the customer's name contains one of these texts (ASCII letters lowercase).
local function is_called(conversation, wanted)
  local name = redis.call('HGET', prefix .. 'contact:' .. conversation, 'name')
  if not name then return false end
  name = string.lower(name)
  for _, text in ipairs(wanted) do
    if string.find(name, text, 1, true) then return true end
  end
  return false
end
