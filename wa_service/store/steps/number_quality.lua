-- Apply Meta's quality rating of a number. Where it is red, pause the number's running batches. A batch that is resumed
-- is not paused again until the rating was better in between.
-- Return how many were paused.
-- args: number is_red:flag
-- include: allow_when_full clock lifetime thread events batch
local paused = 0
for _, batch in ipairs(redis.call('ZRANGE', batches_key(number), 0, -1)) do
  local key = batch_key(batch)
  if not is_red then
    redis.call('HDEL', key, 'quality_red')
  elseif redis.call('HEXISTS', key, 'quality_red') == 0 and pause_batch(batch, 'quality_red') then
    paused = paused + 1
  end
end
return paused
