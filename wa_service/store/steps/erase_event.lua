-- Erase a person's event from a group's mailbox. If it is being handled, its lease ends and the next event is due.
-- Return 1, or 0 when it is not there.
-- args: conversation event
-- include: allow_when_full clock lifetime wake mailbox
return take_out(conversation, event, '') and 1 or 0
