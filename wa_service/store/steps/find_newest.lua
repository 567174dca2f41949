-- Look through a part of `recent` or `sends`, the newest first, for those whose hash has a text in one field. wanted: texts,
-- one is enough · exact: the whole value, else a part of it, whose letters a to z are small. Nothing is written.
-- Return {whether there are more, member...}.
-- args: index family field wanted:json exact:flag start:number count:number
local members = redis.call('ZREVRANGE', prefix .. index, start, start + count - 1)
local found = { #members == count and 1 or 0 }
local function fits(value)
  if not exact then value = string.lower(value) end
  for _, text in ipairs(wanted) do
    if exact and value == text or not exact and string.find(value, text, 1, true) then return true end
  end
end
for _, member in ipairs(members) do
  local value = redis.call('HGET', prefix .. family .. ':' .. member, field)
  if value and fits(value) then found[#found + 1] = member end
end
return found
