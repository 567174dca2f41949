-- Count a day's messages of one kind without their tag, which names an erased person. key: costs:<day> · kind: a field
-- of it, which ends with the tag.
-- Return 1, or 0 where there is none.
-- args: key kind
-- include: allow_when_full
local count = redis.call('HGET', key, kind)
if not count then return 0 end
redis.call('HINCRBY', key, string.match(kind, '^(.*\t)'), count) -- first: an empty hash would lose its ttl
redis.call('HDEL', key, kind)
return 1
