-- Note that Meta paused a template, at a time (ms, 0: now): sends that use it are held until the pause ends. A pause
-- that is over, or that ended before its event came, late or again, holds nothing.
-- Return 1.
-- args: waba template pause_ms:number since:number
-- include: allow_when_full clock lifetime template_events held_sends
if not is_newest(waba, template, since) then return 1 end
local until_ms = math.min(since > 0 and since or wall, wall) + pause_ms
if until_ms > wall then hold_template(waba, template, until_ms, PAUSED) end
return 1
