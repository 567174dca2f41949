-- Meta raised the throughput of the number that customers see under these digits: it is believed where a delivery told
-- that this is one of ours. throughput: messages a second.
-- Return the number, "" for none.
-- args: digits throughput numbers...
if digits == '' then return '' end
for _, number in ipairs(numbers) do
  local limits = prefix .. 'meta_limits:' .. number
  if redis.call('HGET', limits, 'seen_as') == digits then
    redis.call('HSET', limits, 'throughput', throughput)
    return number
  end
end
return ''
