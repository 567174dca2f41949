"""Move scheduled sends into their lanes when they are due: up to 500 a second of each number, in small steps."""

from __future__ import annotations

from collections.abc import Sequence

from gevent.event import Event

from wa_service.observability import log
from wa_service.store.flusher import StoreUnavailableError
from wa_service.store.schedule import Schedule

BATCH_SIZE = 100
STEP_SECONDS = 0.2
LONGEST_WAIT = 0.5
"""Seconds: how late a send may be that was scheduled meanwhile."""


class SchedulerWorker:
    """Move due sends. Every worker process runs it; the store's step moves each send once."""

    def __init__(self, schedule: Schedule, numbers: Sequence[str]) -> None:
        self._schedule = schedule
        self._numbers = tuple(numbers)
        self._stop = Event()
        self._log = log.get_logger()

    def consume(self) -> None:
        """Move due sends until `stop`; the loop of one greenlet."""
        wait = 0.0
        while not self._stop.wait(wait):
            try:
                wait = self.run_once()
            except StoreUnavailableError:
                wait = STEP_SECONDS

    def run_once(self) -> float:
        """Move the sends that are due now; return the seconds until the next round."""
        wait = LONGEST_WAIT
        for number in self._numbers:
            done = self._schedule.move_due(number, BATCH_SIZE)
            for record_id in done.failed:
                self._log.warning("whatsapp.send.failed", id=record_id, reason="not_owner")
            wait = min(wait, max(done.wait, STEP_SECONDS) if done.moved == BATCH_SIZE else done.wait)
        return max(0.01, wait)

    def stop(self) -> None:
        """End `consume`."""
        self._stop.set()

    def join(self, seconds: float) -> bool:
        """Return True: a round is short."""
        del seconds
        return True
