-- The replies into the lane and the event, with those that were handled with it (behind: a list), off the mailbox: all or
-- nothing, and only for the lease's holder.
-- transcript: JSON for the events stream ("" none) · stamps: fields of the contact and the ms from now to set them to (a
-- contact that is no more stays forgotten) · note: see `push_note` · replies: sends as `enqueue` takes them.
-- Return 1, or 0 when the lease is another's or the event is already finished.
-- args: conversation token event consumer retention:number transcript stamps:json behind:json note replies:json...
-- include: allow_when_full clock lifetime wake thread events lane enqueue lease release stamp
if not holds(conversation, token) then return 0 end
-- A lane that cannot be read stops it here, before the first write; `take` sets it aside.
if #replies > 0 then redis.call('LLEN', prefix .. 'lane:' .. conversation) end
if redis.call('ZREM', prefix .. 'mailbox:' .. conversation, event) == 0 then return 0 end
for _, other in ipairs(behind) do redis.call('ZREM', prefix .. 'mailbox:' .. conversation, other) end
if transcript ~= '' then append_event('transcript', conversation, transcript, retention) end
push_note(conversation, note, retention)
-- Somebody of the business, or another application, has answered meanwhile. Our own pause begins with these replies.
local silence = redis.call('HMGET', prefix .. 'contact:' .. conversation, 'paused_until', 'other_until')
local is_silent = tonumber(silence[1] or 0) > wall or tonumber(silence[2] or 0) > wall
stamp_contact(conversation, stamps)
for _, reply in ipairs(is_silent and {} or replies) do enqueue(reply, conversation, retention) end
release_conversation(conversation, consumer)
return 1
