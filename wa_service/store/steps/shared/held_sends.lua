-- Sends whose template Meta paused, or cannot send yet, wait in scheduled:<number>, from where `due` moves them, so that
-- they block no lane. paused_templates:<waba> has the end of each pause by "<name> <language>",
-- unavailable_templates:<waba> the time of the next try; held_sends:<number> is the set of sends that wait for one.
local PAUSED, UNAVAILABLE = 'template_paused', 'template_unavailable'
local PAUSED_TEMPLATE = 132015 -- Meta's code
local FIRST_PAUSE_MS = 10800000 -- as FIRST_PAUSE in template_pauses.py
local HELD_SECONDS = 604800
local HELD_TEMPLATES = { [PAUSED] = 'paused_templates:', [UNAVAILABLE] = 'unavailable_templates:' }

-- hold_template(waba, template, until_ms, why): hold its sends until then, or until a later end that is already stored.
local function hold_template(waba, template, until_ms, why)
  local key = prefix .. HELD_TEMPLATES[why] .. waba
  if tonumber(redis.call('HGET', key, template) or 0) >= until_ms then return end
  redis.call('HSET', key, template, until_ms)
  refresh_ttl(key, HELD_SECONDS)
end

-- template_held_until(waba, template) -> ms since 1970 and why; nil where it may be sent.
local function template_held_until(waba, template)
  for _, why in ipairs({ PAUSED, UNAVAILABLE }) do
    local until_ms = tonumber(redis.call('HGET', prefix .. HELD_TEMPLATES[why] .. waba, template) or 0)
    if until_ms > wall then return until_ms, why end
  end
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

-- hold_send(number, conversation, id, until_ms, why, retention): move a send out of its lane until its template may be
-- sent or the send expires. The record's `error` is Meta's, if Meta gave one. The rest of its batch waits as long.
local function hold_send(number, conversation, id, until_ms, why, retention)
  local record = record_key(id)
  release_reservation(id, conversation)
  redis.call('HDEL', record, 'reservation', 'waits_for_quota')
  leave_lane(number, conversation, id)
  local v = redis.call('HMGET', record, 'to', 'expires', 'error', 'batch')
  local address = v[1] and v[1] ~= '' and v[1] or string.match(conversation, ':(.*)$')
  redis.call('HSET', record, 'status', 'scheduled', 'rank', RANK.scheduled, 'who', cjson.encode(who_of(address)),
    'held', why, 'held_at', wall, 'held_until', until_ms)
  redis.call('ZADD', prefix .. 'scheduled:' .. number, math.min(until_ms, tonumber(v[2] or until_ms)), id)
  redis.call('SADD', prefix .. 'held_sends:' .. number, id)
  refresh_ttl(prefix .. 'held_sends:' .. number, HELD_SECONDS)
  if v[4] then
    redis.call('ZADD', batches_key(number), 'XX', 'GT', until_ms, v[4])
    count_in_batch(id)
  end
  append_send_event(id, conversation, 'scheduled', retention, v[3] or nil)
  notify_caller(id)
end
