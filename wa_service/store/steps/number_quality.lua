-- Meta was asked for the quality of a number. Where it is red the number's running batches pause, each once: who resumes
-- one has seen it, until the quality has been better meanwhile.
-- Return how many were paused.
-- args: number is_red:flag
-- include: allow_when_full clock lifetime wake thread events batch
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
