-- Return the id of the oldest event that was not pushed to a subscriber, or ''. If no lane has one, it is the first
-- event after the cursor that the subscriber wants. The search is bounded: it may end at an event that the subscriber
-- does not want, and the oldest one is then newer.
-- args: subscription meta_kinds
-- include: allow_when_full clock subscription
local EVENTS_PER_READ = 100
local MOST_READS = 10
local MOST_LANES = 1000
local s = subscriber(subscription)

local oldest = ''
for _, conversation in ipairs(redis.call('ZRANGE', s.due, 0, MOST_LANES - 1)) do
  local head = redis.call('LINDEX', s.lane(conversation), 0)
  if head and (oldest == '' or is_older(head, oldest)) then oldest = head end
end
if oldest ~= '' then return oldest end

local v = redis.call('HMGET', s.key, 'cursor', 'kinds', 'numbers', 'form')
local cursor, kinds = v[1] or '0-0', kinds_of(v[2], v[4], meta_kinds)
for _ = 1, MOST_READS do
  local entries = redis.call('XRANGE', prefix .. 'events', '(' .. cursor, '+', 'COUNT', EVENTS_PER_READ)
  for _, entry in ipairs(entries) do
    cursor = entry[1]
    if push_wants(kinds, v[3], entry) then return cursor end
  end
  if #entries < EVENTS_PER_READ then return '' end
end
return cursor
