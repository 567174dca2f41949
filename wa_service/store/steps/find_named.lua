-- Look through a part of `names` for customers whose name has a text. lowest, highest: the range of members, as
-- ZRANGEBYLEX takes it · wanted: texts whose letters a to z are small, one is enough. Nothing is written.
-- Return {the last member that was looked at ("" there are no more), conversation...}.
-- args: lowest highest wanted:json count:number
-- include: customer_name
local members = redis.call('ZRANGEBYLEX', prefix .. 'names', lowest, highest, 'LIMIT', 0, count)
local found = { #members == count and members[count] or '' }
for _, member in ipairs(members) do
  local conversation = string.match(member, '%z(.*)$')
  if conversation and is_called(conversation, wanted) then found[#found + 1] = conversation end
end
return found
