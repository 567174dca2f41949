"""The world's clock, which can be advanced, and timers on it."""

from __future__ import annotations

import heapq
import itertools
import time
from collections.abc import Callable
from datetime import UTC, datetime

import gevent
from gevent.event import Event


class Clock:
    """Wall time plus an offset."""

    def __init__(self, source: Callable[[], float] = time.time) -> None:
        self._source = source
        self._ahead = 0.0

    @property
    def ahead(self) -> float:
        """Seconds that this clock is ahead of wall time."""
        return self._ahead

    def now(self) -> float:
        """Return the emulated time in Unix seconds."""
        return self._source() + self._ahead

    def advance(self, seconds: float) -> None:
        """Advance by ``seconds``; raise ValueError for a negative number."""
        if seconds < 0:
            raise ValueError("the clock cannot go back")
        self._ahead += seconds

    def reset(self) -> None:
        """Return to wall time."""
        self._ahead = 0.0

    def today(self) -> datetime:
        """Return the emulated time as an aware datetime."""
        return datetime.fromtimestamp(self.now(), UTC)


class Timers:
    """Run callables when the clock reaches their time; one greenlet, started when first needed."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._heap: list[tuple[float, int, Callable[[], None]]] = []
        self._sequence = itertools.count()
        self._changed: Event | None = None
        self._greenlet: gevent.Greenlet | None = None

    def __len__(self) -> int:
        return len(self._heap)

    def call_later(self, delay: float, action: Callable[[], None]) -> None:
        """Run ``action`` once, ``delay`` seconds of emulated time from now."""
        heapq.heappush(self._heap, (self._clock.now() + delay, next(self._sequence), action))
        if self._greenlet is None:
            self._changed = Event()
            self._greenlet = gevent.spawn(self._run)
        self.wake()

    def wake(self) -> None:
        """Recompute the wait: a timer was added or the clock advanced."""
        if self._changed is not None:
            self._changed.set()

    def run_due(self) -> None:
        """Start every due timer, each in its own greenlet."""
        now = self._clock.now()
        while self._heap and self._heap[0][0] <= now:
            gevent.spawn(heapq.heappop(self._heap)[2])

    def clear(self) -> None:
        """Remove every timer."""
        self._heap.clear()

    def stop(self) -> None:
        """Remove every timer and end the greenlet."""
        self.clear()
        if self._greenlet is not None:
            self._greenlet.kill(block=False)
            self._greenlet = None

    def _run(self) -> None:
        changed = self._changed
        assert changed is not None  # noqa: S101 - set by call_later before this greenlet starts
        while True:
            changed.clear()
            self.run_due()
            wait = self._heap[0][0] - self._clock.now() if self._heap else None
            changed.wait(None if wait is None else max(wait, 0.001))
