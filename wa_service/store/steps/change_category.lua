-- Store a template's category as an event of Meta's has it, unless a later event was applied. at: its time (ms, 0:
-- now).
-- Return 1, or 0 where a later one was.
-- args: waba template category at:number
-- include: allow_when_full clock lifetime template_events
if not is_newest(waba, category_event(template), at) then return 0 end
redis.call('HSET', prefix .. 'categories:' .. waba, template, category)
return 1
