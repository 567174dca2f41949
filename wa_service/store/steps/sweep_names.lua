-- Remove members of `names` whose contact has expired or has another name. Needs no memory. after: the member to
-- continue after ("" from the beginning).
-- Return the last member read, "" at the end.
-- args: after count:number retention:number
-- include: allow_when_full lifetime identity
local names = prefix .. 'names'
local members = redis.call('ZRANGEBYLEX', names, after == '' and '-' or '(' .. after, '+', 'LIMIT', 0, count)
for _, member in ipairs(members) do
  local word, conversation = string.match(member, '^(.*)%z(.*)$')
  local current = conversation and redis.call('HGET', contact_key(conversation), 'name')
  local is_theirs = false
  for other in name_words(current or '') do is_theirs = is_theirs or other == word end
  if not is_theirs then redis.call('ZREM', names, member) end
end
refresh_ttl(names, retention)
return #members == count and members[count] or ''
