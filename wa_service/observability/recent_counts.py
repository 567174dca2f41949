"""Counts since the last `drain`, for the console's charts of the last hour."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping

_MOST_NAMES = 200


class RecentCounts:
    """Counts by name; beyond 200 names they count as `other`."""

    def __init__(self) -> None:
        self._counts: Counter[str] = Counter()

    def add(self, name: str, count: int = 1) -> None:
        """Add to the count of `name`."""
        if len(self._counts) >= _MOST_NAMES and name not in self._counts:
            name = "other"
        self._counts[name] += count

    def drain(self) -> Mapping[str, int]:
        """Return the counts and reset them."""
        counts, self._counts = self._counts, Counter()
        return counts


RECENT = RecentCounts()
"""The counts of this process."""
