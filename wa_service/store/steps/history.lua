-- Tell what was written in a thread before we came, each message once; nobody answers it. who: see `resolve`; nobody
-- becomes known by it · thread: JSON members of the event · marks_and_messages: of each message its mark and its JSON.
-- Return "kept", or "duplicate": each of them was told before.
-- args: number who:json thread retention:number mark_seconds marks_and_messages...
-- include: refuse_when_full clock lifetime wake thread events identity
local fresh = {}
for i = 1, #marks_and_messages, 2 do
  local seen = prefix .. 'seen:' .. marks_and_messages[i]
  if redis.call('SET', seen, '', 'NX', 'EX', mark_seconds) then fresh[#fresh + 1] = marks_and_messages[i + 1] end
end
if #fresh == 0 then return 'duplicate' end
local conversation = #who.numbers > 0 and owner(number, who.numbers[1]) or
  #who.ids > 0 and redis.call('GET', alias_key(number, who.ids[1])) or ''
append_event('history', conversation, '{' .. thread .. ',"messages":[' .. table.concat(fresh, ',') .. ']}', retention)
return 'kept'
