"""Track the last Graph call or webhook, and wait for a phone's next message."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager

from gevent.event import Event


class Activity:
    """Graph calls and webhooks in progress, and the monotonic time of the last start or end."""

    def __init__(self) -> None:
        self._in_progress = 0
        self._last = 0.0

    @contextmanager
    def in_progress(self) -> Iterator[None]:
        """Count one Graph call or webhook POST."""
        self._in_progress += 1
        self._last = time.monotonic()
        try:
            yield
        finally:
            self._in_progress -= 1
            self._last = time.monotonic()

    def quiet_for(self, seconds: float) -> bool:
        """Return whether nothing is in progress and the last call or webhook ended ``seconds`` ago."""
        return self._in_progress == 0 and time.monotonic() - self._last >= seconds


class Arrivals:
    """Wakes callers that wait for a phone's next message."""

    def __init__(self) -> None:
        self._waiting: dict[str, Event] = {}

    def notify(self, wa_id: str) -> None:
        """Wake all that wait for this phone."""
        if event := self._waiting.pop(wa_id, None):
            event.set()

    def wait(self, wa_id: str, timeout: float) -> bool:
        """Wait for a message of this phone; return False after ``timeout`` seconds."""
        return bool(self._waiting.setdefault(wa_id, Event()).wait(timeout))
