-- Queue the replies and remove the event, with the rest of its burst (behind), from the mailbox: atomically, and only
-- for the lease's holder.
-- transcript: JSON for the events stream ("" none) · stamps: contact field → ms from now (ignored without a contact) ·
-- pause_ms: how long to pause automatic replies (0: no pause), pause_reason, pause_note: why · reply_limit: most
-- replies within reply_window_ms (0: no limit); one more is not sent and begins a pause · note: see `push_note` ·
-- replies: sends as `enqueue` takes them.
-- Return 1, 2 where the reply limit was reached, 3 where automatic replies are paused or another application owns the
-- thread, or 0 when the lease was lost or the event is already finished. With 2 and 3 no reply is queued.
-- args: conversation token event consumer retention:number transcript stamps:json behind:json note pause_ms:number pause_reason pause_note reply_limit:number reply_window_ms:number replies:json...
-- include: allow_when_full clock lifetime wake thread events identity lane tags enqueue lease release stamp reply_limit paused_answers
if not holds(conversation, token) then return 0 end
-- A lane of a wrong type raises here, before the first write; `take` sets it aside.
if #replies > 0 then redis.call('LLEN', prefix .. 'lane:' .. conversation) end
if redis.call('ZREM', prefix .. 'mailbox:' .. conversation, event) == 0 then return 0 end
for _, other in ipairs(behind) do redis.call('ZREM', prefix .. 'mailbox:' .. conversation, other) end
if transcript ~= '' then append_event('transcript', conversation, transcript, retention) end
-- Whether a person of the business, or another application, has answered meanwhile.
local is_silent, quiet = answers_are_paused(conversation)
local is_over = #replies > 0 and not is_silent and over_reply_limit(conversation, reply_limit, reply_window_ms)
if is_over then quiet = 'reply_limit' end
push_note(conversation, note, retention, #replies > 0 and (is_silent or is_over) and quiet or nil)
stamp_contact(conversation, stamps)
if is_over then begin_pause(conversation, 'reply-limit', '', REPLY_LIMIT_PAUSE_MS, retention) end
if pause_ms > 0 then begin_pause(conversation, pause_reason, pause_note, pause_ms, retention) end
for _, reply in ipairs((is_silent or is_over) and {} or replies) do
  reply.to, reply.body = recipient_now(conversation, reply.to, reply.body)
  enqueue(reply, conversation, retention)
end
release_conversation(conversation, consumer)
return is_over and 2 or is_silent and 3 or 1
