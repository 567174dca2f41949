"""The world's time: it can be moved on, and what was due by then happens at once."""

from __future__ import annotations

import heapq
import itertools
import time
from collections.abc import Callable
from datetime import UTC, datetime

import gevent
from gevent.event import Event


class Clock:
    """Wall time plus what the controls added to it."""

    def __init__(self, source: Callable[[], float] = time.time) -> None:
        self._source = source
        self._ahead = 0.0

    @property
    def ahead(self) -> float:
        """Seconds this clock runs ahead of the machine's."""
        return self._ahead

    def now(self) -> float:
        """Unix seconds in the emulated world."""
        return self._source() + self._ahead

    def advance(self, seconds: float) -> None:
        """Move on by ``seconds``; never back."""
        if seconds < 0:
            raise ValueError("the clock only moves on")
        self._ahead += seconds

    def reset(self) -> None:
        """Back to the machine's time, for a world that starts anew."""
        self._ahead = 0.0

    def today(self) -> datetime:
        """The emulated moment as an aware datetime."""
        return datetime.fromtimestamp(self.now(), UTC)


class Timers:
    """Runs callables when the clock reaches their time; one greenlet, started when first needed.

    A timer belongs to an epoch: ``clear`` forgets all of them.
    """

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
        """Look again: a timer was added or the clock moved."""
        if self._changed is not None:
            self._changed.set()

    def run_due(self) -> None:
        """Run everything whose time has come, each in a greenlet of its own."""
        now = self._clock.now()
        while self._heap and self._heap[0][0] <= now:
            gevent.spawn(heapq.heappop(self._heap)[2])

    def clear(self) -> None:
        """Forget every timer."""
        self._heap.clear()

    def stop(self) -> None:
        """Forget every timer and end the greenlet."""
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
