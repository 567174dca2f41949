-- Note the time of an event about a template that changes nothing here, so that an older one does not either. about: as
-- in `template_events` · at: ms, 0: now.
-- Return 1, or 0 where a later event was noted.
-- args: waba about at:number
-- include: allow_when_full clock lifetime template_events
return is_newest(waba, about, at) and 1 or 0
