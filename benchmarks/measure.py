"""Figures and what is said about them: medians of rounds, their spread, and the mark they are to reach."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field, fields
from statistics import median
from typing import Any, Literal


@dataclass(frozen=True, slots=True)
class Goal:
    """The mark: at least or at most `value`."""

    sense: Literal["≥", "≤"]
    value: float

    def reached_by(self, value: float) -> bool:
        """Whether the figure is on the right side."""
        return value >= self.value if self.sense == "≥" else value <= self.value


@dataclass(frozen=True, slots=True)
class Figure:
    """One line of the table. `value` is the median of the rounds, `low` and `high` their ends.

    `unit` is "×" for a ratio. `absolute` names the figures behind a ratio, which depend on the machine.
    """

    name: str
    what: str
    beside: str
    value: float
    low: float
    high: float
    unit: str
    goal: Goal | None = None
    absolute: dict[str, float] = field(default_factory=dict)

    @property
    def reached(self) -> bool:
        """Whether it is where it should be."""
        return self.goal is None or self.goal.reached_by(self.value)

    def as_data(self) -> dict[str, Any]:
        """For JSON."""
        return asdict(self) | {"reached": self.reached}


@dataclass(frozen=True, slots=True)
class Skipped:
    """A line that could not be measured here, and why."""

    name: str
    what: str
    reason: str

    def as_data(self) -> dict[str, Any]:
        """For JSON."""
        return asdict(self)


Line = Figure | Skipped


def line_of(data: Mapping[str, Any]) -> Line:
    """A line, of what `as_data` made of it."""
    if "reason" in data:
        return Skipped(data["name"], data["what"], data["reason"])
    given = {each.name: data[each.name] for each in fields(Figure)}
    return Figure(**given | {"goal": Goal(**data["goal"]) if data["goal"] else None})


def ratio(
    name: str,
    what: str,
    beside: str,
    ours: Sequence[float],
    theirs: Sequence[float],
    goal: Goal,
    absolute: dict[str, float] | None = None,
) -> Figure:
    """Ours by theirs, round by round, so that what the machine did in a round met both."""
    by_round = [mine / other for mine, other in zip(ours, theirs, strict=True)]
    return Figure(name, what, beside, median(by_round), min(by_round), max(by_round), "×", goal, absolute or {})


def plain(
    name: str, what: str, values: Sequence[float], unit: str, goal: Goal | None, beside: str = "–", **absolute: float
) -> Figure:
    """A figure on its own."""
    return Figure(name, what, beside, median(values), min(values), max(values), unit, goal, absolute)


def quantile(values: Sequence[float], share: float) -> float:
    """The value below which `share` of the values lie."""
    ordered = sorted(values)
    return ordered[min(len(ordered) - 1, int(share * len(ordered)))]
