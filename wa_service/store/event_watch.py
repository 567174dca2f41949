"""Wait for new entries in the events stream, with one read for all waiters of a process."""

from __future__ import annotations

import threading
import time
from typing import Final

from wa_service.store.events import Events

POLL_SECONDS: Final = 0.2


class EventWatch:
    """The newest entry's cursor, read by one waiter on behalf of all.

    There is no background task: without waiters, nothing is read. Thread and greenlet safe.
    """

    def __init__(self, events: Events) -> None:
        self._events = events
        self._newest = ""
        self._due_at = 0.0
        self._reading = threading.Lock()

    @property
    def newest(self) -> str:
        """The newest entry's cursor as last read; take it before reading the stream, to miss nothing."""
        return self._newest

    def wait_for_change(self, seen: str, until: float) -> None:
        """Wait until the newest entry's cursor is not `seen`, at most until a time on the monotonic clock.

        The loss of the newest entries in a failover is a change as well.

        Raises:
            StoreUnavailableError: the store cannot be read.
        """
        while (now := time.monotonic()) < until and self._newest == seen:
            time.sleep(max(0.0, min(self._due_at, until) - now))
            self._read_if_due()

    def _read_if_due(self) -> None:
        with self._reading:
            if time.monotonic() >= self._due_at:
                self._newest = self._events.last_cursor()
                self._due_at = time.monotonic() + POLL_SECONDS
