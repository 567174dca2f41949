-- Store a part of a delivery that could not be read as a dead letter.
-- Return "dead", or "duplicate".
-- args: letter_id reason number event retention:number
-- include: refuse_when_full clock dead_letters
if redis.call('EXISTS', prefix .. 'dead_letter:' .. letter_id) == 1 then return 'duplicate' end
add_dead_letter(letter_id, { kind = 'malformed', reason = reason, tries = 0, number = number, conversation = '',
  event = event }, retention)
return 'dead'
