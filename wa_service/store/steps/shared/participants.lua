-- The statuses of a group message by participant: the record's `participants` is JSON, address → status → when (ms),
-- with `code` where it failed, and `costed` where its cost was counted. Meta sends statuses for each participant, but
-- not how many participants there are.
local MOST_PARTICIPANTS = 64

-- add_participant_status(record, participant, status, at, code) -> all participants, or nil for a known status.
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

-- note_costed(record, participant) -> whether the cost of a known participant is counted for the first time.
local function note_costed(record, participant)
  local all = cjson.decode(redis.call('HGET', record, 'participants'))
  if all[participant].costed then return false end
  all[participant].costed = 1
  redis.call('HSET', record, 'participants', cjson.encode(all))
  return true
end

-- failed_for_all(all) -> whether it failed for all known participants. One alone may be just the first that Meta
-- reports.
local function failed_for_all(all)
  local count = 0
  for _, own in pairs(all) do
    if not own.failed or own.delivered or own.read or own.played then return false end
    count = count + 1
  end
  return count > 1
end
