-- Look through a part of `recent`, the newest first, for customers whose name has a text. wanted: texts whose letters a to z
-- are small, one is enough. Nothing is written.
-- Return {whether there are more, conversation...}.
-- args: wanted:json start:number count:number
-- include: customer_name
local conversations = redis.call('ZREVRANGE', prefix .. 'recent', start, start + count - 1)
local found = { #conversations == count and 1 or 0 }
for _, conversation in ipairs(conversations) do
  if is_called(conversation, wanted) then found[#found + 1] = conversation end
end
return found
