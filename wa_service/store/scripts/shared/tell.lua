-- tell(kind, conversation, json, keep_seconds): appends to the events stream, which forgets by age.
local function tell(kind, c, data, keep)
  redis.call('XADD', 'wa:events', 'MINID', '~', now - keep * 1000, '*', 'k', kind, 'c', c, 'd', data)
end
