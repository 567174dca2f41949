-- Give a contact the name from the business's address book, if it has none. who: see `resolve`.
-- Return 1, or 0 where there is no contact, or it has a name.
-- args: number who:json name retention:number
-- include: allow_when_full lifetime identity
local conversation = #who.numbers > 0 and owner(number, who.numbers[1])
if not conversation or redis.call('EXISTS', contact_key(conversation)) == 0 then return 0 end
if redis.call('HEXISTS', contact_key(conversation), 'name') == 1 then return 0 end
set_name(conversation, name, retention)
return 1
