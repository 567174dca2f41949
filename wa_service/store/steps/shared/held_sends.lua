-- Sends whose template Meta paused wait in scheduled:<number>, from where `due` moves them, so that they block no lane.
-- paused_templates:<waba> has the end of each pause by "<name> <language>"; held_sends:<number> is the set of sends
-- that wait for one.
local PAUSED_TEMPLATE = 132015 -- Meta's code
local FIRST_PAUSE_MS = 10800000 -- as FIRST_PAUSE in template_pauses.py
local HELD_SECONDS = 604800
local function paused_templates_key(waba) return prefix .. 'paused_templates:' .. waba end

-- pause_template(waba, template, until_ms): pause until then, or until a later end that is already stored.
local function pause_template(waba, template, until_ms)
  local key = paused_templates_key(waba)
  if tonumber(redis.call('HGET', key, template) or 0) >= until_ms then return end
  redis.call('HSET', key, template, until_ms)
  refresh_ttl(key, HELD_SECONDS)
end

-- template_paused_until(waba, template) -> ms since 1970, 0 where it is not paused.
local function template_paused_until(waba, template)
  local until_ms = tonumber(redis.call('HGET', paused_templates_key(waba), template) or 0)
  return until_ms > wall and until_ms or 0
end

-- who_of(address) -> the `who` argument of `resolve`.
local function who_of(address)
  local who = { group = '', numbers = {}, ids = {}, previous = {}, known_by = {}, leaves = false, change = false, at = 0 }
  if string.match(address, '^%d+$') and #address <= 15 then
    who.numbers = { { address } }
  elseif string.match(address, '^%a%a%.') then
    who.ids = { address }
  else
    who.group = address
  end
  return who
end

-- hold_send(number, conversation, id, until_ms, retention): move a send out of its lane until the template's pause ends
-- or the send expires. The record's `error` is Meta's, if Meta gave one.
local function hold_send(number, conversation, id, until_ms, retention)
  local record = record_key(id)
  release_reservation(id, conversation)
  redis.call('HDEL', record, 'reservation', 'waits_for_quota')
  leave_lane(number, conversation, id)
  local v = redis.call('HMGET', record, 'to', 'expires', 'error')
  local address = v[1] and v[1] ~= '' and v[1] or string.match(conversation, ':(.*)$')
  redis.call('HSET', record, 'status', 'scheduled', 'rank', RANK.scheduled, 'who', cjson.encode(who_of(address)),
    'held', 'template_paused', 'held_at', wall, 'held_until', until_ms)
  redis.call('ZADD', prefix .. 'scheduled:' .. number, math.min(until_ms, tonumber(v[2] or until_ms)), id)
  redis.call('SADD', prefix .. 'held_sends:' .. number, id)
  refresh_ttl(prefix .. 'held_sends:' .. number, HELD_SECONDS)
  append_send_event(id, conversation, 'scheduled', retention, v[3] or nil)
  notify_caller(id)
end
