-- Pause automatic replies in a conversation; 0 ends the pause.
-- Return its end (ms), 0 for none, -1 where there is no contact.
-- args: conversation pause_ms:number retention:number
-- include: allow_when_full clock lifetime wake thread events lane batch record silence
local contact = prefix .. 'contact:' .. conversation
if redis.call('EXISTS', contact) == 0 then return -1 end
redis.call('HDEL', contact, 'paused_until')
if pause_ms == 0 then return 0 end
pause_answers(string.match(conversation, '^(.-):'), conversation, wall + pause_ms, retention)
return wall + pause_ms
