"""Costs of messages: counted from Meta's statuses, priced by a rate card, compared with Meta's own count."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from decimal import Decimal
from typing import Any, Final, Literal, get_args

from wa_service.observability import log
from wa_service.service.rate_card import BILLABLE, RateCard
from wa_service.store.costs import LONGEST_RANGE_DAYS, CostCount, Costs, today

GroupedBy = Literal["category", "type", "country", "number", "batch", "tag"]
DIMENSIONS: Final = get_args(GroupedBy)
SETTLED_DAYS: Final = 2
"""Days after which Meta's count of a day is complete."""
TOLERANCE: Final = 0.01
LEAST_COMPARED: Final = 100
"""With fewer messages, a single one is more than the tolerance."""


@dataclass(frozen=True, slots=True)
class CostLine:
    """Delivered messages of one group; `billable` of them are charged. `amount`: None where a price is missing."""

    group: Mapping[str, str]
    messages: int
    billable: int
    amount: Decimal | None


@dataclass(frozen=True, slots=True)
class CostReport:
    """Costs from `first` to `last`, both included (UTC); `currency` "" without a rate card."""

    first: date
    last: date
    lines: list[CostLine]
    total: CostLine
    currency: str


@dataclass(frozen=True, slots=True)
class CostService:
    """`analytics` asks Meta how many messages it charged for between two moments (Unix s); None without an account."""

    costs: Costs
    rate_card: RateCard | None
    analytics: Callable[[int, int], int] | None

    def report(self, first: date, last: date, by: Sequence[GroupedBy] = ("category",)) -> CostReport:
        """Sum up delivered messages by the given dimensions."""
        found = list(self.costs.between(first, last))
        groups: dict[tuple[str, ...], list[CostCount]] = {}
        for each in found:
            groups.setdefault(tuple(getattr(each, name) for name in by), []).append(each)
        lines = [self._line(dict(zip(by, key, strict=True)), counts) for key, counts in sorted(groups.items())]
        currency = self.rate_card.currency if self.rate_card else ""
        return CostReport(first, last, lines, self._line({}, found), currency)

    def price_of(self, counts: Mapping[tuple[str, str, str], int]) -> CostLine:
        """Price messages by (category, type, country)."""
        items = [CostCount(*key, number="", batch="", tag="", messages=count) for key, count in counts.items()]
        return self._line({}, items)

    def compare(self) -> bool | None:
        """Compare the last complete day with Meta's own count, once in all processes; warn if they differ by more than
        a percent. Return whether they agree, None where nothing was compared.

        Raises:
            WhatsAppError: the call to Meta failed.
        """
        day = today() - timedelta(days=SETTLED_DAYS)
        if self.analytics is None or not self.costs.begin_comparison(day):
            return None
        ours = sum(each.messages for each in self.costs.between(day, day) if each.type == BILLABLE)
        begin = int(datetime.combine(day, time(), UTC).timestamp())
        theirs = self.analytics(begin, begin + 86_400)
        self.costs.end_comparison(day)
        largest = max(ours, theirs)
        agrees = largest < LEAST_COMPARED or abs(ours - theirs) <= TOLERANCE * largest
        if not agrees:
            log.get_logger().warning("whatsapp.costs.differ", day=day.isoformat(), ours=ours, metas=theirs)
        return agrees

    def _line(self, group: Mapping[str, str], counts: Sequence[CostCount]) -> CostLine:
        billable: Counter[tuple[str, str]] = Counter()
        for each in counts:
            if each.type == BILLABLE:
                billable[each.country, each.category] += each.messages
        amount: Decimal | None = None
        if self.rate_card is not None:
            prices = [(self.rate_card.price(*kind), count) for kind, count in billable.items()]
            if all(price is not None for price, _ in prices):
                amount = sum((price * count for price, count in prices if price is not None), Decimal())
        return CostLine(group, sum(each.messages for each in counts), sum(billable.values()), amount)


def read_days(begin: str, end: str) -> tuple[date, date]:
    """Read two days from a request; by default this month until today. Raises ValueError with a sentence."""
    try:
        last = date.fromisoformat(end) if end else today()
        first = date.fromisoformat(begin) if begin else last.replace(day=1)
    except ValueError:
        raise ValueError("This must be a day, such as 2026-11-28.") from None
    if first > last:
        raise ValueError("The first day is after the last.")
    if (last - first).days >= LONGEST_RANGE_DAYS:
        raise ValueError(f"These are more than {LONGEST_RANGE_DAYS} days, for which counts are kept.")
    return first, last


def read_dimensions(given: str) -> tuple[GroupedBy, ...]:
    """Read what to group by, comma separated; raise ValueError with a sentence."""
    names = tuple(dict.fromkeys(name.strip() for name in given.split(",") if name.strip()))
    if unknown := [name for name in names if name not in DIMENSIONS]:
        raise ValueError(f"{unknown[0][:40]} is none of {', '.join(DIMENSIONS)}.")
    return names  # type: ignore[return-value]  # each is one of them


def charged_volume(answer: Mapping[str, Any]) -> int:
    """Return how many messages Meta charged for, from its `pricing_analytics` by type."""
    analytics = answer.get("pricing_analytics")
    data = analytics.get("data") if isinstance(analytics, Mapping) else None
    points = [
        point
        for part in (data if isinstance(data, list) else [])
        if isinstance(part, Mapping)
        for point in part.get("data_points") or []
    ]
    return sum(
        point["volume"]
        for point in points
        if str(point.get("pricing_type", "")).lower() == BILLABLE and isinstance(point.get("volume"), int)
    )
