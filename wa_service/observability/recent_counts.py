"""What this process counted since it was last asked: for the console's charts of the last hour, beside Prometheus."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping

_MOST_NAMES = 200


class RecentCounts:
    """Counts by name; beyond 200 names they are `other`."""

    def __init__(self) -> None:
        self._counts: Counter[str] = Counter()

    def add(self, name: str, count: int = 1) -> None:
        """Count something."""
        if len(self._counts) >= _MOST_NAMES and name not in self._counts:
            name = "other"
        self._counts[name] += count

    def drain(self) -> Mapping[str, int]:
        """Return what was counted, and begin anew."""
        counts, self._counts = self._counts, Counter()
        return counts


RECENT = RecentCounts()
"""Of this process."""
