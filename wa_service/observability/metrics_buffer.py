"""Buffer the metrics of webhooks in memory, and write them a few times a second.

Each write to a shared series costs a lock and a mapped page. A webhook would make six writes, a sixteenth of its cost.
"""

from __future__ import annotations

import threading
from collections import Counter
from collections.abc import Callable

from wa_service.observability import metrics

WRITE_SECONDS = 0.25


class MetricsBuffer:
    """Buffers counts of one process; they are in the series at most `seconds` after the webhook's answer."""

    def __init__(self, seconds: float = WRITE_SECONDS, on_written: Callable[[], None] = lambda: None) -> None:
        self._on_written = on_written
        self._seconds = seconds
        self._outcomes: Counter[str] = Counter()
        self._durations: list[float] = []
        self._lags: list[float] = []
        self._events: Counter[str] = Counter()
        self._write_is_due = False

    def webhook_answered(self, outcome: str, seconds: float) -> None:
        """Count a webhook call and the time it took."""
        self._outcomes[outcome] += 1
        self._durations.append(seconds)
        if not self._write_is_due:
            self._write_is_due = True
            timer = threading.Timer(self._seconds, self.write)
            timer.daemon = True
            timer.start()

    def webhook_lagged(self, seconds: float) -> None:
        """Count a message that arrived `seconds` after Meta's timestamp on it."""
        self._lags.append(seconds)

    def event_seen(self, kind: str) -> None:
        """Count an event of a kind."""
        self._events[kind] += 1

    def write(self) -> None:
        """Write everything that is buffered to the series."""
        self._write_is_due = False
        outcomes, self._outcomes = self._outcomes, Counter()
        durations, self._durations = self._durations, []
        lags, self._lags = self._lags, []
        events, self._events = self._events, Counter()
        metrics.webhooks_answered(outcomes, durations)
        metrics.webhooks_lagged(lags)
        for kind, count in events.items():
            metrics.event_seen(kind, count)
        self._on_written()
