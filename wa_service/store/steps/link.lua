-- Link addresses that Meta, outside any message, says are one person's. who: see `resolve` · moves: whether a number
-- moves here from a contact with other user ids · mark: of Meta's event, whose repeat links nothing: the person may
-- have been erased since ("" none).
-- Return 1, or 0 where no contact was known and `who` asks for known ones only, a number would have to move, or the
-- event is known.
-- args: number who:json moves:flag mark retention:number mark_seconds
-- include: allow_when_full clock lifetime wake consent identity
local function is_of_other_ids(spellings)
  local holder = owner(number, spellings)
  if not holder or not has_user_id(holder) then return false end
  local known
  for _, id in ipairs(who.ids) do
    known = redis.call('GET', alias_key(number, id)) or known
    if known == holder then return false end
  end
  local moved = moved_at(holder, spellings)
  return not (moved and came_with(spellings, known, moved, who.at))
end
for _, spellings in ipairs(who.numbers) do
  if not moves and is_of_other_ids(spellings) then return 0 end
end
local seen = prefix .. 'seen:' .. mark
if mark ~= '' and redis.call('EXISTS', seen) == 1 then return 0 end
if not resolve(number, who, retention) then return 0 end
if mark ~= '' then redis.call('SET', seen, '', 'EX', mark_seconds) end
return 1
