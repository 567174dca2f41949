-- Store an event that is not handled: a management event, a notice, or one for a number that is not ours. list:
-- "management" or "stray", of which the last 1,000 are kept · kind: in the events stream ("" not appended) ·
-- event: the JSON for the events stream · mark: of the event ("" it is not looked for among known ones).
-- Return "kept", or "duplicate" where it is known.
-- args: list entry retention:number kind event mark mark_seconds
-- include: refuse_when_full clock lifetime thread events
if mark ~= '' and not redis.call('SET', prefix .. 'seen:' .. mark, '', 'NX', 'EX', mark_seconds) then return 'duplicate' end
redis.call('LPUSH', prefix .. list, entry)
redis.call('LTRIM', prefix .. list, 0, 999)
redis.call('EXPIRE', prefix .. list, retention)
if kind ~= '' then append_event(kind, '', event, retention) end
return 'kept'
