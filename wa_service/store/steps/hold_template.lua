-- Note that Meta paused a template: sends that use it are held from now on.
-- Return 1.
-- args: waba template pause_ms:number
-- include: allow_when_full clock lifetime
local key = prefix .. 'paused_templates:' .. waba
if tonumber(redis.call('HGET', key, template) or 0) < wall + pause_ms then
  redis.call('HSET', key, template, wall + pause_ms)
  refresh_ttl(key, 604800)
end
return 1
