"""Limit how often frequent log lines are written, and count those left out."""

from __future__ import annotations

import time
from collections.abc import Callable, Hashable
from typing import Final

_MOST_KEYS: Final = 1_000


class LogThrottle:
    """Lets one line of each kind through per `seconds`."""

    def __init__(self, seconds: float, clock: Callable[[], float] = time.monotonic) -> None:
        self._seconds = seconds
        self._clock = clock
        self._left_out: dict[Hashable, int] = {}
        self._next: dict[Hashable, float] = {}

    def count(self, kind: Hashable) -> int:
        """Count one occurrence; return how many the line stands for if it is due now, else 0."""
        now = self._clock()
        if now < self._next.get(kind, now):
            self._left_out[kind] = self._left_out.get(kind, 0) + 1
            return 0
        if len(self._next) >= _MOST_KEYS:
            self._next.clear()
        self._next[kind] = now + self._seconds
        return self._left_out.pop(kind, 0) + 1
