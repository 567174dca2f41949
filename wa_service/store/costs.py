"""Charged messages by day, as Meta's statuses price them; steps/shared/costs.lua counts."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta

from wa_service.store.client import Store, fields, text

LONGEST_RANGE_DAYS = 400
_EPOCH = date(1970, 1, 1)
_COMPARED_SECONDS = 3 * 86_400
_COMPARING_SECONDS = 1_800
"""How long a comparison may take, after which another is begun: the call to Meta may fail."""


@dataclass(frozen=True, slots=True)
class CostCount:
    """A number of delivered messages of one kind; `country`, `batch` and `tag` are "" where there is none."""

    category: str
    type: str
    country: str
    number: str
    batch: str
    tag: str
    messages: int


class Costs:
    """The counts of each day (UTC, by Meta's time of the delivery). Raises `StoreUnavailableError`."""

    def __init__(self, store: Store) -> None:
        self._store = store

    def between(self, first: date, last: date) -> Iterator[CostCount]:
        """Yield the counts from one day to another, both included."""
        days = (last - first).days + 1
        keys = [self._key(first + timedelta(days=each)) for each in range(min(days, LONGEST_RANGE_DAYS))]
        for raw in self._store.run([("HGETALL", key) for key in keys]):
            for name, count in fields(raw).items():
                category, kind, country, number, batch, tag = name.split("\t")
                yield CostCount(category, kind, country, number, batch, tag, int(count))

    def begin_comparison(self, day: date) -> bool:
        """Claim the comparison of a day's counts with Meta's; return whether it was free."""
        return text(self._store.do("SET", self._compared_key(day), "1", "NX", "EX", _COMPARING_SECONDS)) == "OK"

    def end_comparison(self, day: date) -> None:
        """Note that a day was compared."""
        self._store.do("SET", self._compared_key(day), "1", "EX", _COMPARED_SECONDS)

    def _compared_key(self, day: date) -> str:
        return self._store.keys.of("costs_compared", day.isoformat())

    def _key(self, day: date) -> str:
        return self._store.keys.of("costs", str((day - _EPOCH).days))


def today() -> date:
    """Return the day in UTC."""
    return datetime.now(UTC).date()
