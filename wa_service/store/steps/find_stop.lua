-- Find a customer's STOP. conversations: theirs with each number · digest: of the given address.
-- Return {at, by} of the STOP: since when (ms) and by what; {} where there is none, or a START took it back.
-- args: digest conversations...
-- include: allow_when_full clock consent stop
local stops, start = { stop_of(digest) }, nil
for _, conversation in ipairs(conversations) do
  local choice = choice_of(prefix .. 'contact:' .. conversation)
  if choice and choice.stop then
    stops[#stops + 1] = choice
  elseif choice and not (start and supersedes(start, choice)) then
    start = choice
  end
end
local latest
for _, stop in ipairs(stops) do
  if not (start and supersedes(start, stop)) and not (latest and supersedes(latest, stop)) then latest = stop end
end
return latest and { latest.at, latest.by } or {}
