"""How thorough a run is."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Plan:
    """Rounds of each row, and a scale on how long or how much each round is."""

    rounds: int
    scale: float

    def many(self, full: int, least: int = 1) -> int:
        """A count, scaled."""
        return max(least, round(full * self.scale))

    def seconds(self, full: float) -> float:
        """A duration, scaled."""
        return max(1.0, full * self.scale)


FULL = Plan(rounds=5, scale=1.0)
QUICK = Plan(rounds=2, scale=0.35)
