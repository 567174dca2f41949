-- Nothing is answered by itself in a conversation for so long; 0 ends that.
-- Return the time (ms) until which it is so, 0 where it is not; -1 where the contact is gone.
-- args: conversation pause_ms:number retention:number
-- include: allow_when_full clock lifetime wake thread events lane batch record silence
local contact = prefix .. 'contact:' .. conversation
if redis.call('EXISTS', contact) == 0 then return -1 end
redis.call('HDEL', contact, 'paused_until')
if pause_ms == 0 then return 0 end
pause_answers(string.match(conversation, '^(.-):'), conversation, wall + pause_ms, retention)
return wall + pause_ms
