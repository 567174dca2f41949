-- Meta's events about templates come in any order, and more than once: template_events:<waba> has the time of the
-- latest that was applied, by template for its status, by "quality <template>" for its quality, by `category_event` for
-- its category; by "number <digits>" for the quality of a number.
local TEMPLATE_EVENTS_SECONDS = 604800
local function category_event(template) return 'category ' .. template end

-- has_later(waba, about, at) -> whether a later event was applied; at: ms, 0: now; a time in the future counts as now.
local function has_later(waba, about, at)
  at = at > 0 and math.min(at, wall) or wall
  return tonumber(redis.call('HGET', prefix .. 'template_events:' .. waba, about) or 0) > at
end

-- is_newest(waba, about, at) -> whether no later event was applied; if so, this one is noted.
local function is_newest(waba, about, at)
  if has_later(waba, about, at) then return false end
  local key = prefix .. 'template_events:' .. waba
  redis.call('HSET', key, about, at > 0 and math.min(at, wall) or wall)
  refresh_ttl(key, TEMPLATE_EVENTS_SECONDS)
  return true
end
