"""How soon a process that died is replaced: an installation with one worker serves nobody meanwhile."""

from __future__ import annotations

FIRST_PAUSE = 0.2
MAX_PAUSE = 10.0
# A process that worked may have died of one message, which the lanes keep from coming again too soon.
MAX_PAUSE_AFTER_WORK = 1.0
# Whatever ended a process that lived this long, starting another one is no tight loop.
STABLE_AFTER = 5.0


class RestartBackoff:
    """The pauses between starts: growing while processes die soon, short while they get to work at all."""

    def __init__(self) -> None:
        self._pause = 0.0

    def next_pause(self, *, worked: bool, lived: float) -> float:
        """Seconds before the next start, after a process that died `lived` s after its own.

        `worked`: it had reported that it took work.
        """
        if worked and lived > STABLE_AFTER:
            self._pause = 0.0
        pause = min(self._pause, MAX_PAUSE_AFTER_WORK if worked else MAX_PAUSE)
        self._pause = min(MAX_PAUSE, self._pause * 2 or FIRST_PAUSE)
        return pause
