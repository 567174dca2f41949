-- pause_answers(number, conversation, until_ms, retention): a person of the business writes in this conversation: pause
-- automatic replies until then, and withdraw those that wait in the lane. One that is being sent is not stopped.
local WITHDRAWN = '{"reason":"withdrawn","title":"A person of the business wrote meanwhile."}'

local function withdraw_answers(number, conversation, retention)
  for _, id in ipairs(redis.call('LRANGE', prefix .. 'lane:' .. conversation, 0, -1)) do
    local v = redis.call('HMGET', record_key(id), 'origin', 'status')
    if v[1] and v[1] ~= '' and v[2] == 'queued' and not redis.call('ZSCORE', prefix .. 'busy', id) then
      drop_from_lane(number, conversation, id)
      fail_record(id, conversation, WITHDRAWN, retention)
    end
  end
end

local function pause_answers(number, conversation, until_ms, retention)
  local contact = prefix .. 'contact:' .. conversation
  local before = tonumber(redis.call('HGET', contact, 'paused_until') or 0)
  if until_ms > before then redis.call('HSET', contact, 'paused_until', until_ms) end
  withdraw_answers(number, conversation, retention)
end
