-- Pause a number for all processes. id: the record whose outcome causes it ("" none).
-- Return the pause's length (ms) from now, 0 where nothing changed.
-- args: number reason at_least_ms:number id
-- include: allow_when_full clock pause
return pause_number(number, reason, at_least_ms, id)
