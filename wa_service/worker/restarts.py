"""How soon a process that died is replaced: an installation with one worker serves nobody meanwhile."""

from __future__ import annotations

FIRST_PAUSE = 0.2
SLOWEST_RESTART = 10.0
# A process that worked may have died of one message, which the lanes keep from coming again too soon.
SLOWEST_AFTER_WORK = 1.0
# Whatever ended a process that lived this long, starting another one is no tight loop.
WELL_AFTER = 5.0


class Restarts:
    """The pauses before the next starts: growing while processes die soon, short while they get to work at all."""

    def __init__(self) -> None:
        self._pause = 0.0

    def pause(self, *, worked: bool, lived: float) -> float:
        """Seconds before the next start, after a process that died `lived` s after its own; `worked`: it said so."""
        if worked and lived > WELL_AFTER:
            self._pause = 0.0
        pause = min(self._pause, SLOWEST_AFTER_WORK if worked else SLOWEST_RESTART)
        self._pause = min(SLOWEST_RESTART, self._pause * 2 or FIRST_PAUSE)
        return pause
