-- Store a customer's STOP or START. who: see `resolve`; no contact is created · at: Meta's time (ms, 0: none) · by:
-- words, meta, 131050, api or import · digests: of the given addresses.
-- Return 1 where it changed something, else 0.
-- args: number who:json is_stop:flag at:number by retention:number digests...
-- include: refuse_when_full clock lifetime thread events consent identity stop
local conversation, contact = stop_contact_of(conversation_of(number, who))
is_stopped(conversation, digests, retention) -- copies a digest's STOP to the contact
local choice = new_choice(is_stop, at, by)
order_after(choice, choice_of(contact))
for _, digest in ipairs(digests) do order_after(choice, stop_of(digest)) end
local changed = false
if is_stop then
  changed = stop_contact(conversation, choice, retention)
  local known = choice_of(contact)
  for _, digest in ipairs(digests) do
    if not known or known.stop then remember_stop(digest, choice) end
  end
else
  for _, digest in ipairs(digests) do changed = forget_stop(digest, choice) or changed end
  changed = start_contact(conversation, choice, changed, retention)
end
return changed and 1 or 0
