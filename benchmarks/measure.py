"""Figures of the table: medians of rounds, their range, and their goals."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field, fields
from statistics import median
from typing import Any, Literal


@dataclass(frozen=True, slots=True)
class Goal:
    """A goal: at least or at most `value`."""

    sense: Literal["≥", "≤"]
    value: float

    def reached_by(self, value: float) -> bool:
        """Return whether the figure reaches the goal."""
        return value >= self.value if self.sense == "≥" else value <= self.value


@dataclass(frozen=True, slots=True)
class Figure:
    """One line of the table. `value` is the median of the rounds, `low` and `high` are their minimum and maximum.

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
        """Whether the figure reaches its goal, if it has one."""
        return self.goal is None or self.goal.reached_by(self.value)

    def as_data(self) -> dict[str, Any]:
        """Return the line for JSON."""
        return asdict(self) | {"reached": self.reached}


@dataclass(frozen=True, slots=True)
class Skipped:
    """A line that could not be measured here, and why."""

    name: str
    what: str
    reason: str

    def as_data(self) -> dict[str, Any]:
        """Return the line for JSON."""
        return asdict(self)


Line = Figure | Skipped


def line_of(data: Mapping[str, Any]) -> Line:
    """Return the line that `as_data` encoded."""
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
    """Return ours divided by theirs per round, so that other load on the machine affects both."""
    by_round = [mine / other for mine, other in zip(ours, theirs, strict=True)]
    return Figure(name, what, beside, median(by_round), min(by_round), max(by_round), "×", goal, absolute or {})


def plain(
    name: str, what: str, values: Sequence[float], unit: str, goal: Goal | None, beside: str = "–", **absolute: float
) -> Figure:
    """Return an absolute figure."""
    return Figure(name, what, beside, median(values), min(values), max(values), unit, goal, absolute)


def quantile(values: Sequence[float], share: float) -> float:
    """Return the value below which `share` of the values lie."""
    ordered = sorted(values)
    return ordered[min(len(ordered) - 1, int(share * len(ordered)))]
