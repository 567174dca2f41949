-- note_tag(tag, id, retention): of each tag the newest sends, so that they are found among any number of others. The key
-- has a digest of the tag, which may name somebody; it lives until the last of them has ended that waits for its time.
local MOST_OF_A_TAG, MOST_OVER_OF_A_TAG = 100, 20
local TAG_WAITS_SECONDS = 3456000
local function note_tag(tag, id, retention)
  local key = prefix .. 'tagged:' .. redis.sha1hex(tag)
  local length = redis.pcall('LPUSH', key, id)
  if type(length) ~= 'number' then return end -- of a wrong type: a send is not lost for the search
  if length > MOST_OF_A_TAG + MOST_OVER_OF_A_TAG then redis.call('LTRIM', key, 0, MOST_OF_A_TAG - 1) end
  refresh_ttl(key, retention + TAG_WAITS_SECONDS)
end

