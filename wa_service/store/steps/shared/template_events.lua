-- is_newest(waba, template, at) -> whether no later event about the template was applied; at: its time (ms, 0: now;
-- one in the future counts as now).
-- Meta's events come in any order, and more than once.
local TEMPLATE_EVENTS_SECONDS = 604800
local function is_newest(waba, template, at)
  local key = prefix .. 'template_events:' .. waba
  at = at > 0 and math.min(at, wall) or wall
  if tonumber(redis.call('HGET', key, template) or 0) > at then return false end
  redis.call('HSET', key, template, at)
  refresh_ttl(key, TEMPLATE_EVENTS_SECONDS)
  return true
end
