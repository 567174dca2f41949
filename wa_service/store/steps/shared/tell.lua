-- tell(kind, conversation, json, keep_seconds): appends to the events stream, which forgets by age: roughly here (whole
-- nodes), exactly in `tidy`, and as a whole once nothing was told for so long.
local function tell(kind, c, data, keep)
  redis.call('XADD', 'wa:events', 'MINID', '~', now - keep * 1000, '*', 'k', kind, 'c', c, 'd', data)
  renew('wa:events', keep)
end
