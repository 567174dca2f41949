-- note_tag(tag, id, retention): index the newest sends of a tag. The key has a digest of the tag, which may contain
-- personal data; it outlives the longest scheduled send.
local MOST_OF_A_TAG, MOST_OVER_OF_A_TAG = 100, 20
local TAG_WAITS_SECONDS = 3456000
local function note_tag(tag, id, retention)
  local key = prefix .. 'tagged:' .. redis.sha1hex(tag)
  local length = redis.pcall('LPUSH', key, id)
  if type(length) ~= 'number' then return end -- of a wrong type: the send still counts, only search misses it
  if length > MOST_OF_A_TAG + MOST_OVER_OF_A_TAG then redis.call('LTRIM', key, 0, MOST_OF_A_TAG - 1) end
  refresh_ttl(key, retention + TAG_WAITS_SECONDS)
end

