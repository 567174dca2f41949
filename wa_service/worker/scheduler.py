"""Move scheduled sends into their lanes when they are due: up to 500 a second of each number, in small steps."""

from __future__ import annotations

from collections.abc import Sequence

from wa_service.observability import log
from wa_service.store.schedule import Schedule
from wa_service.worker.periodic import PeriodicWorker

BATCH_SIZE = 100
STEP_SECONDS = 0.2
LONGEST_WAIT = 0.5
"""Seconds: how late a send may be that was scheduled meanwhile."""


class SchedulerWorker(PeriodicWorker):
    """Move due sends. Every worker process runs it; the store's step moves each send once."""

    retry_wait = STEP_SECONDS

    def __init__(self, schedule: Schedule, numbers: Sequence[str]) -> None:
        super().__init__()
        self._schedule = schedule
        self._numbers = tuple(numbers)
        self._log = log.get_logger()

    def run_once(self) -> float:
        """Move the sends that are due now; return the seconds until the next round."""
        wait = LONGEST_WAIT
        for number in self._numbers:
            done = self._schedule.move_due(number, BATCH_SIZE)
            for record_id in done.failed:
                self._log.warning("whatsapp.send.failed", id=record_id, reason="not_owner")
            wait = min(wait, max(done.wait, STEP_SECONDS) if done.moved == BATCH_SIZE else done.wait)
        return max(0.01, wait)
