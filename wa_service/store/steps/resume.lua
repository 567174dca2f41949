-- include: bell
-- Ends a number's pause by hand. ARGV 1 n. Returns 1 when there was one.
local was = redis.call('DEL', 'wa:pause:' .. ARGV[1])
ring('wa:outbell:' .. ARGV[1])
return was
