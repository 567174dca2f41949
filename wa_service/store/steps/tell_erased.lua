-- Append to the events stream that a person was erased. event: JSON without personal data. Return the entry's id.
-- args: event retention:number
-- include: allow_when_full clock lifetime thread events
return append_event('erased', '', event, retention)
