"""What webhooks add to the metrics, written a few times a second instead of with each.

Each write to a series that processes share costs a lock and a mapped page, six of them a webhook: a sixteenth of
what a web process can take.
"""

from __future__ import annotations

import threading
from collections import Counter

from wa_service.observability import metrics

WRITE_SECONDS = 0.25


class WebhookTally:
    """Counts in memory; what was counted is in the series at most a quarter of a second later."""

    def __init__(self, seconds: float = WRITE_SECONDS) -> None:
        self._seconds = seconds
        self._outcomes: Counter[str] = Counter()
        self._took: list[float] = []
        self._lags: list[float] = []
        self._events: Counter[str] = Counter()
        self._due = False

    def answered(self, outcome: str, seconds: float) -> None:
        """A webhook call was answered."""
        self._outcomes[outcome] += 1
        self._took.append(seconds)
        if not self._due:
            self._due = True
            timer = threading.Timer(self._seconds, self.write)
            timer.daemon = True
            timer.start()

    def lagged(self, seconds: float) -> None:
        """A message arrived so long after Meta's timestamp on it; written with the answer to its webhook."""
        self._lags.append(seconds)

    def seen(self, kind: str) -> None:
        """An event of this kind arrived; written with the answer to its webhook."""
        self._events[kind] += 1

    def write(self) -> None:
        """Writes what was counted."""
        self._due = False
        outcomes, self._outcomes = self._outcomes, Counter()
        took, self._took = self._took, []
        lags, self._lags = self._lags, []
        events, self._events = self._events, Counter()
        metrics.webhooks_answered(outcomes, took)
        metrics.webhooks_lagged(lags)
        for kind, count in events.items():
            metrics.event_seen(kind, count)
