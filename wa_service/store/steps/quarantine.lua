-- Store an event that is not handled: a management event, a notice, or one for a number that is not ours. list:
-- "management" or "stray", of which the last 1,000 are kept · kind: in the events stream ("" not appended) ·
-- event: the JSON for the events stream.
-- Return "kept".
-- args: list entry retention:number kind event
-- include: refuse_when_full clock lifetime thread events
redis.call('LPUSH', prefix .. list, entry)
redis.call('LTRIM', prefix .. list, 0, 999)
redis.call('EXPIRE', prefix .. list, retention)
if kind ~= '' then append_event(kind, '', event, retention) end
return 'kept'
