-- A customer wants no marketing any more, or wants it again. who: see `resolve`; nobody becomes known by it · at: when
-- they said so (ms; 0: now) · by: words, meta, 131050, api or import · digests: of the addresses that are named.
-- Return 1 where it changed something, else 0.
-- args: number who:json is_stop:flag at:number by retention:number digests...
-- include: refuse_when_full clock lifetime wake thread events identity stop
if at <= 0 or at > wall then at = wall end
local conversation = conversation_of(number, who)
local changed = false
if is_stop then
  changed = stop_contact(conversation, at, by, retention)
  local started_at = tonumber(redis.call('HGET', contact_key(conversation), 'started_at') or 0)
  for _, digest in ipairs(digests) do
    if at >= started_at then remember_stop(digest, at, by) end
  end
else
  for _, digest in ipairs(digests) do changed = forget_stop(digest, at) or changed end
  changed = start_contact(conversation, at, by, changed, retention)
end
return changed and 1 or 0
