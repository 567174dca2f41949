-- renew(key, seconds): the key lives so long from now on; what was renewed a moment ago (within a hundredth of its
-- life, at most an hour) stays as it is, for looking costs a third of writing it to the append-only file.
local function renewed(key, seconds)
  return redis.call('TTL', key) > seconds - math.min(3600, seconds / 100)
end

local function renew(key, seconds)
  if not renewed(key, seconds) then redis.call('EXPIRE', key, seconds) end
end
