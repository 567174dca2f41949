"""Scheduled and canceled sends: the steps due and cancel."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, NamedTuple

from wa_service.store.client import text
from wa_service.store.outbox import LANE_CEILING, Outbox

CancelOutcome = Literal["canceled", "sent", "missing"]


class DueRound(NamedTuple):
    """Result of `move_due`: seconds until the next call (infinity: nothing is scheduled), how many sends entered their
    lanes, and the ids of those that failed instead.
    """

    wait: float
    moved: int
    failed: list[str]


class CancelResult(NamedTuple):
    """Result of a cancel, and the id of the send: of the fallback template, if the send fell back to it."""

    outcome: CancelOutcome
    id: str


@dataclass(frozen=True, slots=True)
class Schedule:
    """The sends of an outbox that wait for their time. Raises `StoreUnavailableError`."""

    outbox: Outbox

    def move_due(self, number: str, count: int) -> DueRound:
        """Move at most `count` sends of a number that are due into their lanes."""
        limits = self.outbox.limits_of(number)
        wait, moved, failed = self.outbox.store.call(
            "due",
            number=number,
            count=count,
            ceiling=LANE_CEILING,
            retention=self.outbox.retention_seconds,
            waba=limits.waba,
            daily_limit=limits.daily,
        )
        return DueRound(float("inf") if wait < 0 else wait / 1000, int(moved), [text(id_) for id_ in failed])

    def cancel(self, record_id: str) -> CancelResult:
        """Cancel a send that has not left; safe to repeat."""
        outcome, id_ = self.outbox.store.call_replicated(
            "cancel", id=record_id, retention=self.outbox.retention_seconds
        )
        what: CancelOutcome = text(outcome)  # type: ignore[assignment]  # one of the step's three words
        return CancelResult(what, text(id_))
