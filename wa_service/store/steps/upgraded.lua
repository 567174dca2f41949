-- Meta raised the throughput of the number that customers see under these digits: it is believed where a delivery told
-- that this is one of ours. ARGV 1 digits · 2 messages a second · 3.. our numbers. Returns the number, "" for none.
if ARGV[1] == '' then return '' end
for i = 3, #ARGV do
  local said = 'wa:said:' .. ARGV[i]
  if redis.call('HGET', said, 'seen_as') == ARGV[1] then
    redis.call('HSET', said, 'throughput', ARGV[2])
    return ARGV[i]
  end
end
return ''
