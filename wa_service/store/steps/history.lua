-- Append the messages of a thread from before onboarding to the events stream, each once; they are not answered. who:
-- see `resolve`; no contact is created · thread: the customer's address · metadata: JSON · marks_and_messages: mark and
-- JSON of each message in turn.
-- An event has at most 16 KB of messages; of a larger message it has the short values, and `large_event` the whole.
-- Return "kept", or "duplicate" where all messages were known.
-- args: number who:json thread metadata retention:number mark_seconds marks_and_messages...
-- include: refuse_when_full clock lifetime thread events large_events identity
local fresh = {}
for i = 1, #marks_and_messages, 2 do
  local seen = prefix .. 'seen:' .. marks_and_messages[i]
  if redis.call('SET', seen, '', 'NX', 'EX', mark_seconds) then fresh[#fresh + 1] = marks_and_messages[i + 1] end
end
if #fresh == 0 then return 'duplicate' end
local conversation = #who.numbers > 0 and owner(number, who.numbers[1]) or
  #who.ids > 0 and redis.call('GET', alias_key(number, who.ids[1])) or ''

-- Concatenated, not encoded: the messages and metadata are Meta's JSON.
local head = '{"phone_number_id":' .. cjson.encode(number) .. ',"thread":' .. cjson.encode(thread) .. ',"metadata":' .. metadata
local function event_of(messages) return head .. ',"messages":[' .. table.concat(messages, ',') .. ']}' end

local together, bytes = {}, 0
local function tell()
  if #together > 0 then append_event('history', conversation, event_of(together), retention) end
  together, bytes = {}, 0
end
for _, message in ipairs(fresh) do
  if #message > LARGEST_EVENT then
    tell()
    local place = append_event('history', conversation, event_of({ short_object(message) }), retention)
    local whole = prefix .. 'large_event:' .. place
    redis.call('HSET', whole, 'c', conversation, 'k', 'history', 'event', event_of({ message }))
    redis.call('EXPIRE', whole, retention)
  else
    if bytes + #message > LARGEST_EVENT then tell() end
    together[#together + 1] = message
    bytes = bytes + #message + 1
  end
end
tell()
return 'kept'
