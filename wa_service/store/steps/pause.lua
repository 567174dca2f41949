-- include: clock pause
-- Pauses a number for all processes. ARGV 1 n · 2 reason · 3 at least (ms) · 4 the record that showed why ("").
-- Returns the pause's length (ms) from now on, 0 when this changed nothing.
redis.call('DEL', 'wa:none')
return hold(ARGV[1], ARGV[2], tonumber(ARGV[3]), ARGV[4])
