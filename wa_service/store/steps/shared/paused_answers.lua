-- answers_are_paused(conversation) -> whether automatic replies are paused, or another application owns the thread; and
-- which of the two: "paused" or "other_application".
local function answers_are_paused(conversation)
  local v = redis.call('HMGET', prefix .. 'contact:' .. conversation, 'paused_until', 'other_until')
  if tonumber(v[1] or 0) > wall then return true, 'paused' end
  return tonumber(v[2] or 0) > wall, 'other_application'
end
