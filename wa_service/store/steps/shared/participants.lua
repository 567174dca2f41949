-- What became of a message in a group, by participant: the record's `participants` is JSON, address → status → when (ms),
-- with `code` where it failed. Meta tells each participant's statuses by themselves, and nobody how many there are.
local MOST_PARTICIPANTS = 64

-- add_participant_status(record, participant, status, at, code) -> all participants, or nil where it is known already.
local function add_participant_status(record, participant, status, at, code)
  local all, count = cjson.decode(redis.call('HGET', record, 'participants') or '{}'), 0
  for _ in pairs(all) do count = count + 1 end
  local own = all[participant] or (count < MOST_PARTICIPANTS and {}) or nil
  if not own or own[status] then return nil end
  own[status] = at
  if status == 'failed' then own.code = code end
  all[participant] = own
  redis.call('HSET', record, 'participants', cjson.encode(all))
  return all
end

-- failed_for_all(all): several are known, and none of them has it; one alone may be the only one that Meta told of yet.
local function failed_for_all(all)
  local count = 0
  for _, own in pairs(all) do
    if not own.failed or own.delivered or own.read or own.played then return false end
    count = count + 1
  end
  return count > 1
end
