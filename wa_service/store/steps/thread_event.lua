-- Something happened in a conversation beside our own messages: somebody of the business wrote (echo), or the thread is
-- another's (standby), or changed hands (handover). It is told, never handled. who: see `resolve` · mark: of the event,
-- wamid_mark: of the message ("" none) · pause_ms: how long nothing is answered there (0: no pause) · owner: of the
-- thread from now on: "us", "other", "" unsaid · name: the customer's ("" none).
-- Return "kept", "duplicate", or "ours": the echo of a send of ours.
-- args: number who:json kind event mark wamid_mark pause_ms:number owner name retention:number mark_seconds
-- include: refuse_when_full clock lifetime wake thread events large_events consent identity lane batch record silence
if wamid_mark ~= '' and redis.call('EXISTS', prefix .. 'wamid:' .. wamid_mark) == 1 then return 'ours' end
if mark ~= '' and not redis.call('SET', prefix .. 'seen:' .. mark, '', 'NX', 'EX', mark_seconds) then return 'duplicate' end
local conversation = resolve(number, who, retention)
local contact = prefix .. 'contact:' .. conversation
redis.call('HSET', contact, 'n', number)
if name ~= '' then set_name(conversation, name, retention) end
append_bounded(kind, conversation, event, retention)
if pause_ms > 0 then pause_answers(number, conversation, wall + pause_ms, retention) end
if owner == 'other' then
  redis.call('HSET', contact, 'other_until', wall + 86400000) -- a thread in which nobody writes for a day is nobody's
  withdraw_answers(number, conversation, retention)
elseif owner == 'us' then
  redis.call('HDEL', contact, 'other_until')
end
return 'kept'
