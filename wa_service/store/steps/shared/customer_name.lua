-- is_called(conversation, wanted) -> whether its customer's name has one of these texts, whose letters a to z are small.
local function is_called(conversation, wanted)
  local name = redis.call('HGET', prefix .. 'contact:' .. conversation, 'name')
  if not name then return false end
  name = string.lower(name)
  for _, text in ipairs(wanted) do
    if string.find(name, text, 1, true) then return true end
  end
  return false
end
