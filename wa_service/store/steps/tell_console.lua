-- Tell in the stream what a person changed in the console. conversation: which it is about, "" none · change: JSON.
-- args: conversation change retention:number
-- include: refuse_when_full clock lifetime thread events
append_event('console', conversation, change, retention)
return 1
