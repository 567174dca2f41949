-- answers_are_paused(conversation) -> whether automatic replies are paused, or another application owns the thread.
local function answers_are_paused(conversation)
  local v = redis.call('HMGET', prefix .. 'contact:' .. conversation, 'paused_until', 'other_until')
  return tonumber(v[1] or 0) > wall or tonumber(v[2] or 0) > wall
end
