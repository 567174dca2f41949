"""The size of a run."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Plan:
    """Rounds per row, and a scale for the length of a round."""

    rounds: int
    scale: float

    def many(self, full: int, least: int = 1) -> int:
        """Return a scaled count."""
        return max(least, round(full * self.scale))

    def seconds(self, full: float) -> float:
        """Return a scaled duration."""
        return max(1.0, full * self.scale)


FULL = Plan(rounds=5, scale=1.0)
QUICK = Plan(rounds=2, scale=0.35)
