-- Search a part of `recent`, newest first, for customers whose name contains a text. wanted: texts (ASCII letters
-- lowercase), one of which must match.
-- Return {whether there are more, conversation...}.
-- args: wanted:json start:number count:number
-- include: customer_name
local conversations = redis.call('ZREVRANGE', prefix .. 'recent', start, start + count - 1)
local found = { #conversations == count and 1 or 0 }
for _, conversation in ipairs(conversations) do
  if is_called(conversation, wanted) then found[#found + 1] = conversation end
end
return found
