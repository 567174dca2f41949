-- Append a dead letter to its customer's mailbox again, whatever its mark says. The sender is resolved anew, because
-- the conversation may have been joined with another. ceiling: of the mailbox · note: see `push_note`.
-- Return "queued", "unknown", "no_conversation" (it has no sender) or "full".
-- args: letter_id retention:number ceiling:number who:json note
-- include: refuse_when_full clock lifetime wake thread consent identity
local letter = prefix .. 'dead_letter:' .. letter_id
local v = redis.call('HMGET', letter, 'event', 'n')
if not v[1] then return 'unknown' end
if #who.ids == 0 and #who.numbers == 0 and #who.known_by == 0 and who.group == '' then return 'no_conversation' end
local conversation = resolve(v[2], who, retention)
local mailbox, counters = prefix .. 'mailbox:' .. conversation, prefix .. 'conv:' .. conversation
if redis.call('ZCARD', mailbox) >= ceiling then return 'full' end
local last = redis.call('ZRANGE', mailbox, -1, -1, 'WITHSCORES')
local score = math.max(math.floor(wall / 1000) * 1000000, last[2] and tonumber(last[2]) + 1 or 0)
redis.call('HINCRBY', counters, 'seq', 1)
refresh_ttl(counters, CONVERSATION_SECONDS)
redis.call('ZADD', mailbox, score, '{"z":true,' .. string.sub(v[1], 2)) -- "z": handled however old it is
redis.call('ZREM', prefix .. 'dead', letter_id)
redis.call('DEL', letter)
push_note(conversation, note, retention)
if redis.call('ZADD', prefix .. 'due', 'NX', now, conversation) == 1 then wake(prefix .. 'wake') end
return 'queued'
