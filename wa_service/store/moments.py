"""Moments that stay comparable though a clock is set or the machine is suspended."""

from __future__ import annotations

import time
from dataclasses import dataclass

# Goes on while the machine is suspended, where there is one that does.
_STEADY_CLOCK = getattr(time, "CLOCK_BOOTTIME", time.CLOCK_MONOTONIC)


@dataclass(frozen=True, slots=True)
class Moment:
    """A moment by two clocks: one that nobody sets but that may stand still with the machine, and the calendar's."""

    steady: float
    calendar: float

    @classmethod
    def now(cls) -> Moment:
        """Return this moment."""
        return cls(time.clock_gettime(_STEADY_CLOCK), time.time())

    @property
    def seconds_ago(self) -> float:
        """How long ago it was, by the clock that says more."""
        now = Moment.now()
        return max(now.steady - self.steady, now.calendar - self.calendar)
