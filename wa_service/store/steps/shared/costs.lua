-- Costs: each record's pricing is counted once, when Meta says that the message was delivered; that of a message to a
-- group once for each participant, as Meta charges for it. costs:<day> counts by category, type, country, number, batch
-- and tag; a batch counts by category, type and country.
local COSTS_SECONDS = 34560000 -- 400 days: a month compares with the same month of the year before
local MOST_KINDS = 20000 -- bounds the hash where each message has a tag of its own

-- count_cost(id, pricing, country, at, participant) -> "category\ttype", or '' where nothing was counted. pricing:
-- JSON; at: ms; participant: of a group ('' none).
local function count_cost(id, pricing, country, at, participant)
  local record = prefix .. 'record:' .. id
  local v = redis.call('HMGET', record, 'pricing', 'costed', 'n', 'batch', 'tag')
  pricing = pricing ~= '' and pricing or v[1]
  if not pricing or (v[2] and participant == '') then return '' end
  local category = string.match(pricing, '"category":"([%w_%-]+)"')
  local kind = string.match(pricing, '"type":"([%w_%-]+)"')
  if not category then return '' end
  -- Before July 2025 pricing had no type; `billable` (a boolean or a string) said whether the message is charged for.
  kind = kind or (string.match(string.lower(pricing), '"billable":"?true') and 'regular' or 'free')
  category, kind = string.lower(category), string.lower(kind)
  category = string.gsub(category, '%-', '_') -- Meta writes authentication_international in both ways
  if participant == '' then
    redis.call('HSET', record, 'costed', 1)
  elseif not note_costed(record, participant) then
    return ''
  end
  local key = prefix .. 'costs:' .. math.floor(at / 86400000)
  local field = table.concat({ category, kind, country, v[3], v[4] or '', v[5] or '' }, '\t')
  if v[5] and redis.call('HEXISTS', key, field) == 0 and redis.call('HLEN', key) >= MOST_KINDS then
    field = table.concat({ category, kind, country, v[3], v[4] or '', '' }, '\t')
  end
  redis.call('HINCRBY', key, field, 1)
  refresh_ttl(key, COSTS_SECONDS)
  if v[4] and redis.call('EXISTS', prefix .. 'batch:' .. v[4]) == 1 then
    redis.call('HINCRBY', prefix .. 'batch:' .. v[4], 'cost:' .. table.concat({ category, kind, country }, '\t'), 1)
  end
  return category .. '\t' .. kind
end
