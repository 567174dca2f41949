-- Apply Meta's throughput upgrade (messages a second) to the number with these displayed digits, if a delivery has
-- shown that it is one of ours.
-- Return the number, or "".
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
