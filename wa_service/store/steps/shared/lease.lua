-- holds(conversation, token) -> whether this token's lease is valid: the conversation was not taken again, and its work
-- has not ended.
local function holds(conversation, token)
  local v = redis.call('HMGET', prefix .. 'conv:' .. conversation, 'token', 'head')
  return v[1] == token and v[2] and true or false
end
