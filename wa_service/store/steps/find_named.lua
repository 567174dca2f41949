-- Look through a part of `names` for customers whose name has a text. lowest, highest: the range of members, as
-- ZRANGEBYLEX takes it · wanted: texts whose letters a to z are small, one is enough. Nothing is written.
-- Return {the last member that was looked at ("" there are no more), conversation...}.
-- args: lowest highest wanted:json count:number
local members = redis.call('ZRANGEBYLEX', prefix .. 'names', lowest, highest, 'LIMIT', 0, count)
local found = { #members == count and members[count] or '' }
for _, member in ipairs(members) do
  local conversation = string.match(member, '%z(.*)$')
  local name = conversation and redis.call('HGET', prefix .. 'contact:' .. conversation, 'name')
  name = name and string.lower(name)
  for _, text in ipairs(name and wanted or {}) do
    if string.find(name, text, 1, true) then
      found[#found + 1] = conversation
      break
    end
  end
end
return found
