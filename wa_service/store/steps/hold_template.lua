-- Meta paused a template: what is to be sent of it is held from now on, without asking Meta.
-- Return 1.
-- args: waba template pause_ms:number
-- include: allow_when_full clock lifetime wake
local key = prefix .. 'paused_templates:' .. waba
if tonumber(redis.call('HGET', key, template) or 0) < wall + pause_ms then
  redis.call('HSET', key, template, wall + pause_ms)
  refresh_ttl(key, 604800)
end
return 1
