-- Pause a number for all processes. id: the record that showed why ("" none).
-- Return the pause's length (ms) from now on, 0 when this changed nothing.
-- args: number reason at_least_ms:number id
-- include: allow_when_full clock pause
return pause_number(number, reason, at_least_ms, id)
