-- Whether another server has become the primary since anybody connected: the last moments' writes may be lost, so every
-- number is paused, once, until the statuses of what had left came home. replicated: there are replicas to be promoted,
-- however few of them are connected now · moves: in a cluster another node may own the slot without any loss: there only
-- a server that was the replica of the one known counts · pause_ms: 0 for no pause.
-- Return 1 where it has, else 0.
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
-- What was handed out in the moments that are lost had tokens of that time: nothing is given one of them again, however
-- far behind this server's own clock may be.
local LOST_MS = 1000
now = now + LOST_MS
redis.call('HINCRBY', prefix .. 'clock', 'ahead', LOST_MS)
if pause_ms > 0 then
  for _, number in ipairs(redis.call('SMEMBERS', prefix .. 'numbers')) do
    pause_number(number, 'failover', pause_ms, '')
  end
end
return 1
