-- Turn the event into a dead letter and release the conversation. stamps, note and replies: as in `finish`;
-- without stamps and replies where automatic replies are paused or another application owns the thread.
-- Return 1, or 0 when the lease was lost or the event is gone.
-- args: conversation token event consumer retention:number letter_id kind reason number stamps:json note replies:json...
-- include: allow_when_full clock lifetime wake dead_letters thread identity lane tags enqueue lease release stamp paused_answers
local counters = prefix .. 'conv:' .. conversation
if not holds(conversation, token) then return 0 end
if redis.call('ZREM', prefix .. 'mailbox:' .. conversation, event) == 0 then return 0 end
local tries = tonumber(redis.call('HGET', counters, 'deliveries') or 0)
add_dead_letter(letter_id, { kind = kind, reason = reason, tries = tries, number = number, conversation = conversation,
  event = event }, retention)
push_note(conversation, note, retention)
if not answers_are_paused(conversation) then
  stamp_contact(conversation, stamps)
  for _, reply in ipairs(replies) do
    reply.to, reply.body = recipient_now(conversation, reply.to, reply.body)
    enqueue(reply, conversation, retention)
  end
end
release_conversation(conversation, consumer)
return 1
