"""Write this process's counts to the store every few seconds, best effort."""

from __future__ import annotations

import contextlib
import threading
import time

from wa_service.observability.recent_counts import RecentCounts
from wa_service.store.flusher import StoreUnavailableError
from wa_service.store.minute_counts import MinuteCounts

WRITE_SECONDS = 5.0


class CountWriter:
    """Write one process's counts."""

    def __init__(self, counts: RecentCounts, minutes: MinuteCounts, seconds: float = WRITE_SECONDS) -> None:
        self._counts = counts
        self._minutes = minutes
        self._seconds = seconds
        self._timer: threading.Timer | None = None
        self._is_stopped = False
        self._writing = threading.Lock()
        self._due_at = 0.0

    def soon(self) -> None:
        """Write within a few seconds."""
        if self._timer is not None or self._is_stopped:
            return
        self._timer = threading.Timer(self._seconds, self.write)
        self._timer.daemon = True
        self._timer.start()

    def write_if_due(self) -> None:
        """Write if the last write was a few seconds ago; for a loop that runs about once a second."""
        if time.monotonic() >= self._due_at:
            self._due_at = time.monotonic() + self._seconds
            self.write()

    def write(self) -> None:
        """Write now, if there is anything."""
        self._timer = None
        with self._writing, contextlib.suppress(StoreUnavailableError):  # a gap in the chart
            if counts := self._counts.drain():
                self._minutes.add(counts)

    def stop(self) -> None:
        """Write for the last time; call it before the store is closed."""
        self._is_stopped = True
        if (timer := self._timer) is not None:
            timer.cancel()
        self.write()
