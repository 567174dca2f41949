"""Write what this process counted to the store, a few seconds later and for all together; lost where that cannot be."""

from __future__ import annotations

import threading
import time

from wa_service.observability.recent_counts import RecentCounts
from wa_service.store.flusher import StoreUnavailableError
from wa_service.store.minute_counts import MinuteCounts

WRITE_SECONDS = 5.0


class CountWriter:
    """Writes one process's counts."""

    def __init__(self, counts: RecentCounts, minutes: MinuteCounts, seconds: float = WRITE_SECONDS) -> None:
        self._counts = counts
        self._minutes = minutes
        self._seconds = seconds
        self._is_armed = False
        self._due_at = 0.0

    def soon(self) -> None:
        """Write within a few seconds."""
        if self._is_armed:
            return
        self._is_armed = True
        timer = threading.Timer(self._seconds, self.write)
        timer.daemon = True
        timer.start()

    def write_if_due(self) -> None:
        """Write where the last time was a few seconds ago; for who comes by about once a second."""
        if time.monotonic() >= self._due_at:
            self._due_at = time.monotonic() + self._seconds
            self.write()

    def write(self) -> None:
        """Write now, if there is anything."""
        self._is_armed = False
        counts = self._counts.drain()
        if not counts:
            return
        try:
            self._minutes.add(counts)
        except StoreUnavailableError:
            return  # a chart of an hour in which the store was away says so by itself
