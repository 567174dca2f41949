"""Tell those who wait for events that the stream changed; it is read once for all who wait in a process."""

from __future__ import annotations

import threading
import time
from typing import Final

from wa_service.store.events import Events

POLL_SECONDS: Final = 0.2


class EventWatch:
    """The newest entry's cursor, read by one of those who wait for a change of it, on behalf of all.

    There is no background task: where nobody waits, nothing is read. Thread and greenlet safe.
    """

    def __init__(self, events: Events) -> None:
        self._events = events
        self._newest = ""
        self._due_at = 0.0
        self._reading = threading.Lock()

    @property
    def newest(self) -> str:
        """The newest entry's cursor as last read; whoever takes it before reading the stream misses nothing."""
        return self._newest

    def wait_for_change(self, seen: str, until: float) -> None:
        """Wait until the newest entry is another than that of `seen`, at most until a time on the monotonic clock.

        A failover may have lost the newest entries: that is a change, too.

        Raises:
            StoreUnavailableError: the store cannot be asked.
        """
        while (now := time.monotonic()) < until and self._newest == seen:
            time.sleep(max(0.0, min(self._due_at, until) - now))
            self._read_if_due()

    def _read_if_due(self) -> None:
        with self._reading:
            if time.monotonic() >= self._due_at:
                self._newest = self._events.last_cursor()
                self._due_at = time.monotonic() + POLL_SECONDS
