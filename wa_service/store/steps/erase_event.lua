-- Erase an event from a mailbox that others share (a group's): its sender is forgotten. Whoever works on it has lost it,
-- and the next one is due.
-- Return 1, or 0 when it is not there.
-- args: conversation event
-- include: allow_when_full clock lifetime wake mailbox
return take_out(conversation, event, '') and 1 or 0
