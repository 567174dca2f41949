-- Look through a part of `recent`, the newest first, for customers whose name has a text. wanted: texts whose letters a to z
-- are small, one is enough. Nothing is written.
-- Return {whether there are more, conversation...}.
-- args: wanted:json start:number count:number
local conversations = redis.call('ZREVRANGE', prefix .. 'recent', start, start + count - 1)
local found = { #conversations == count and 1 or 0 }
for _, conversation in ipairs(conversations) do
  local name = redis.call('HGET', prefix .. 'contact:' .. conversation, 'name')
  name = name and string.lower(name)
  for _, text in ipairs(name and wanted or {}) do
    if string.find(name, text, 1, true) then
      found[#found + 1] = conversation
      break
    end
  end
end
return found
