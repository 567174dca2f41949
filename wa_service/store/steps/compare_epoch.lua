-- Detect a failover: another server is the primary than at the last connection. The last writes may be lost, so every
-- number is paused once, until the statuses of messages that had left arrive. replicated: replicas are configured, even
-- if none is connected now · moves: a cluster, where a slot may move to another node without loss: only a former
-- replica of the known primary counts · pause_ms: 0 for no pause.
-- Return 1 after a failover, else 0.
-- args: replicated:flag moves:flag pause_ms:number
-- include: allow_when_full clock pause
local info = redis.call('INFO', 'replication')
local id, before = string.match(info, 'master_replid:(%x+)'), string.match(info, 'master_replid2:(%x+)')
if not id then return 0 end
local key = prefix .. 'epoch'
local v = redis.call('HMGET', key, 'replid', 'replicated')
local has_replicas = replicated or v[2] == '1' or tonumber(string.match(info, 'connected_slaves:(%d+)') or 0) > 0
if v[1] ~= id or (v[2] == '1') ~= has_replicas then
  redis.call('HSET', key, 'replid', id, 'replicated', has_replicas and '1' or '0')
end
if not v[1] or v[1] == id or not has_replicas or (moves and before ~= v[1]) then return 0 end
redis.call('HINCRBY', key, 'failovers', 1)
-- Tokens are made from the time. Skip the time of the lost writes, so that no token is given again.
local LOST_MS = 1000
now = now + LOST_MS
redis.call('HINCRBY', prefix .. 'clock', 'ahead', LOST_MS)
if pause_ms > 0 then
  for _, number in ipairs(redis.call('SMEMBERS', prefix .. 'numbers')) do
    pause_number(number, 'failover', pause_ms, '')
  end
end
return 1
