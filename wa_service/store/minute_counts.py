"""Counts of all processes for each minute of the last hour."""

from __future__ import annotations

from collections.abc import Mapping

from wa_service.store.client import Store, fields

MINUTES = 60


class MinuteCounts:
    """Counts by minute and name. Raises `StoreUnavailableError`."""

    def __init__(self, store: Store) -> None:
        self._store = store

    def add(self, counts: Mapping[str, int]) -> None:
        """Add to the current minute."""
        pairs = [str(part).encode() for name, count in counts.items() for part in (name, count)]
        self._store.call("count_minute", names_and_counts=pairs)

    def last_hour(self) -> list[dict[str, int]]:
        """Return the counts of the last sixty minutes, oldest first; the last one is the current minute."""
        wall, _ = self._store.call("read_clock")
        last = int(wall) // 60_000
        keys = [self._store.keys.of("minute", str(minute)) for minute in range(last - MINUTES + 1, last + 1)]
        return [
            {name: int(count) for name, count in fields(flat).items()}
            for flat in self._store.run([("HGETALL", key) for key in keys])
        ]
