-- Note that Meta paused a template, at a time (ms, 0: now): sends that use it are held until the pause ends. A pause
-- that is over, or that ended before its event came, late or again, holds nothing.
-- Return 1.
-- args: waba template pause_ms:number since:number
-- include: allow_when_full clock lifetime template_events
if not is_newest(waba, template, since) then return 1 end
local key = prefix .. 'paused_templates:' .. waba
local until_ms = math.min(since > 0 and since or wall, wall) + pause_ms
if until_ms > wall and tonumber(redis.call('HGET', key, template) or 0) < until_ms then
  redis.call('HSET', key, template, until_ms)
  refresh_ttl(key, 604800)
end
return 1
