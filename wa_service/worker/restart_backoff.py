"""The backoff between restarts of a worker process."""

from __future__ import annotations

FIRST_PAUSE = 0.2
MAX_PAUSE = 10.0
# A process that took work may have died of one message, whose retry the store delays.
MAX_PAUSE_AFTER_WORK = 1.0
# A process that lived this long is restarted without delay.
STABLE_AFTER = 5.0


class RestartBackoff:
    """The pauses between starts: they grow while processes die early, and stay short for processes that took work."""

    def __init__(self) -> None:
        self._pause = 0.0

    def next_pause(self, *, worked: bool, lived: float) -> float:
        """Return the seconds until the next start, after a process died that lived for `lived` seconds.

        `worked`: it had reported that it takes work.
        """
        if worked and lived > STABLE_AFTER:
            self._pause = 0.0
        pause = min(self._pause, MAX_PAUSE_AFTER_WORK if worked else MAX_PAUSE)
        self._pause = min(MAX_PAUSE, self._pause * 2 or FIRST_PAUSE)
        return pause
