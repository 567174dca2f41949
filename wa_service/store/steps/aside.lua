-- include: clock lifetime tell
-- Something that is kept but not handled: a management event, a notice, or what came for a number that is not ours.
-- ARGV 1 list ("management" | "stray") · 2 JSON · 3 keep (s) · 4 conversation for the events stream, "" none
--      · 5 kind for the events stream, "" none. Returns "kept".
redis.call('LPUSH', 'wa:' .. ARGV[1], ARGV[2])
redis.call('LTRIM', 'wa:' .. ARGV[1], 0, 999)
redis.call('EXPIRE', 'wa:' .. ARGV[1], ARGV[3])
if ARGV[5] ~= '' then tell(ARGV[5], ARGV[4], ARGV[2], tonumber(ARGV[3])) end
return 'kept'
