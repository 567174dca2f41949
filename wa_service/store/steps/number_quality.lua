-- Apply Meta's quality rating of a number. Where it is red, pause the number's batches that have begun, or begin within
-- a minute: the rating may be better until others do. A batch that is resumed is not paused again until the rating was
-- better in between.
-- Return how many were paused.
-- args: number is_red:flag
-- include: allow_when_full clock lifetime thread events batch
local SOON_MS = 60000
local paused = 0
for _, batch in ipairs(redis.call('ZRANGE', batches_key(number), 0, -1)) do
  local key = batch_key(batch)
  if not is_red then
    redis.call('HDEL', key, 'quality_red')
  elseif redis.call('HEXISTS', key, 'quality_red') == 0 and
    tonumber(redis.call('HGET', key, 'at') or 0) <= wall + SOON_MS and pause_batch(batch, 'quality_red') then
    paused = paused + 1
  end
end
return paused
