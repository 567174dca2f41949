-- include: clock bury
-- A piece that could not be read becomes a dead letter, with its siblings in the same pipeline.
-- ARGV 1 id · 2 kind · 3 reason · 4 n · 5 event · 6 keep (s). Returns "dead", or "duplicate".
if redis.call('EXISTS', 'wa:dead:' .. ARGV[1]) == 1 then return 'duplicate' end
bury(ARGV[1], ARGV[2], ARGV[3], 0, ARGV[4], '', ARGV[5], tonumber(ARGV[6]))
return 'dead'
