-- Store the categories of a template list, except those of templates whose category changed since Meta was asked for
-- it. at: when that was (ms, 0: now) · categories: of each template its name and category.
-- Return how many were stored.
-- args: waba at:number categories...
-- include: allow_when_full clock template_events
local stored = 0
for i = 1, #categories, 2 do
  if not has_later(waba, category_event(categories[i]), at) then
    redis.call('HSET', prefix .. 'categories:' .. waba, categories[i], categories[i + 1])
    stored = stored + 1
  end
end
return stored
