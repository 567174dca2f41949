-- Add to this minute's counts. names_and_counts: name and count in turn.
-- args: names_and_counts...
-- include: refuse_when_full clock
local minute = prefix .. 'minute:' .. string.format('%.0f', math.floor(wall / 60000))
for i = 1, #names_and_counts, 2 do redis.call('HINCRBY', minute, names_and_counts[i], names_and_counts[i + 1]) end
redis.call('EXPIRE', minute, 3660)
return 1
