-- Store an event that is not answered: a person of the business wrote (echo), another application owns the thread
-- (standby), or its owner changed (handover). who: see `resolve` · mark: of the event · wamid_mark: of the message (""
-- none) · pause_ms: how long to pause automatic replies (0: no pause) · owner: of the thread from then on: "us",
-- "other", "" unknown · at: Meta's time of the event (s, 0 unknown) · name: the customer's ("" none).
-- Return "kept", "duplicate", or "ours": the echo of a send of ours.
-- args: number who:json kind event mark wamid_mark pause_ms:number owner at:number name retention:number mark_seconds
-- include: refuse_when_full clock lifetime wake thread events large_events consent identity lane batch record silence
if wamid_mark ~= '' and redis.call('EXISTS', prefix .. 'wamid:' .. wamid_mark) == 1 then return 'ours' end
if not redis.call('SET', prefix .. 'seen:' .. mark, '', 'NX', 'EX', mark_seconds) then return 'duplicate' end
local conversation = resolve(number, who, retention)
local contact = prefix .. 'contact:' .. conversation
redis.call('HSET', contact, 'n', number)
if name ~= '' then set_name(conversation, name, retention) end
append_bounded(kind, conversation, event, retention)
if pause_ms > 0 then pause_answers(number, conversation, wall + pause_ms, retention) end
-- Events come in any order: one from before the last change of the owner changes nothing.
if owner ~= '' and at > 0 then
  at = math.min(at, math.floor(wall / 1000)) -- one in the future must not outlast those that follow
  if at < tonumber(redis.call('HGET', contact, 'owner_since') or 0) then return 'kept' end
  redis.call('HSET', contact, 'owner_since', at)
end
if owner == 'other' then
  redis.call('HSET', contact, 'other_until', wall + 86400000) -- ownership ends after a day without messages
  withdraw_answers(number, conversation, retention)
elseif owner == 'us' then
  redis.call('HDEL', contact, 'other_until')
end
return 'kept'
