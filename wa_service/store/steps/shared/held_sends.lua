-- Sends whose template Meta paused, or cannot send yet, wait in scheduled:<number>, from where `due` moves them, or in
-- their batch, so that they block no lane. paused_templates:<waba> has the end of each pause by "<name> <language>",
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
-- sent or the send expires. The record's `error` is Meta's, if Meta gave one. An item of a running batch returns to its
-- batch: only `feed_batches` knows quiet hours.
local function hold_send(number, conversation, id, until_ms, why, retention)
  local record = record_key(id)
  release_reservation(id, conversation)
  redis.call('HDEL', record, 'reservation', 'waits_for_quota')
  leave_lane(number, conversation, id)
  local v = redis.call('HMGET', record, 'to', 'expires', 'error', 'batch', 'batch_index')
  redis.call('HSET', record, 'status', 'scheduled', 'rank', RANK.scheduled, 'held', why, 'held_at', wall, 'held_until',
    until_ms)
  if v[4] and redis.call('HGET', batch_key(v[4]), 'state') == 'running' then
    wait_in_batch(v[4], number, v[5], until_ms)
    look_at(v[4], number, until_ms, true)
  else
    local address = v[1] and v[1] ~= '' and v[1] or string.match(conversation, ':(.*)$')
    redis.call('HSET', record, 'who', cjson.encode(who_of(address)))
    redis.call('ZADD', prefix .. 'scheduled:' .. number, math.min(until_ms, tonumber(v[2] or until_ms)), id)
    redis.call('SADD', prefix .. 'held_sends:' .. number, id)
    refresh_ttl(prefix .. 'held_sends:' .. number, HELD_SECONDS)
  end
  count_in_batch(id)
  append_send_event(id, conversation, 'scheduled', retention, v[3] or nil)
  notify_caller(id)
end
