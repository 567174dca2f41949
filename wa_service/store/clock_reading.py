"""A reading of two clocks, whose age is right even if the clock is set or the machine is suspended."""

from __future__ import annotations

import time
from dataclasses import dataclass

# CLOCK_BOOTTIME also counts while the machine is suspended; not every system has it.
_STEADY_CLOCK = getattr(time, "CLOCK_BOOTTIME", time.CLOCK_MONOTONIC)


@dataclass(frozen=True, slots=True)
class ClockReading:
    """A moment on two clocks: a monotonic one, which may stop during a suspension, and the wall clock."""

    steady: float
    calendar: float

    @classmethod
    def now(cls) -> ClockReading:
        return cls(time.clock_gettime(_STEADY_CLOCK), time.time())

    @property
    def seconds_ago(self) -> float:
        """How long ago it was, by the clock that shows more."""
        now = ClockReading.now()
        return max(now.steady - self.steady, now.calendar - self.calendar)
