-- Search a range of `names` for customers whose name contains a text. lowest, highest: the range for ZRANGEBYLEX ·
-- wanted: texts (ASCII letters lowercase), one of which must match.
-- Return {the last member read ("" there are no more), conversation...}.
-- args: lowest highest wanted:json count:number
-- include: customer_name
local members = redis.call('ZRANGEBYLEX', prefix .. 'names', lowest, highest, 'LIMIT', 0, count)
local found = { #members == count and members[count] or '' }
for _, member in ipairs(members) do
  local conversation = string.match(member, '%z(.*)$')
  if conversation and is_called(conversation, wanted) then found[#found + 1] = conversation end
end
return found
