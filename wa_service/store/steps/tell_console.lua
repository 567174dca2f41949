-- Append a person's change in the console to the events stream. conversation: the one it is about ("" none) · change:
-- JSON.
-- args: conversation change retention:number
-- include: refuse_when_full clock lifetime thread events
append_event('console', conversation, change, retention)
return 1
