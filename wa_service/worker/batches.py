"""Move items of batches into their lanes at the number's pace, and log changes of batches."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime

from wa_service.observability import log, metrics
from wa_service.service.quiet_hours import QuietHours
from wa_service.store.batches import ITEMS_A_STEP, Batches
from wa_service.worker.periodic import PeriodicWorker

ROUND_SECONDS = 0.25
SWEEP_SECONDS = 2.0
QUIET_SECONDS = 10.0
"""How long computed quiet hours are cached, at most until the next minute, when they may begin."""


class BatchWorker(PeriodicWorker):
    """Feed lanes from batches. Every worker process runs it; the store's steps move each item once."""

    first_wait = retry_wait = ROUND_SECONDS

    def __init__(self, batches: Batches, numbers: Sequence[str]) -> None:
        super().__init__()
        self._batches = batches
        self._numbers = tuple(numbers)
        self._quiet: dict[str, tuple[float, int | Mapping[str, int] | None]] = {}
        self._sweep_at = 0.0
        self._log = log.get_logger()

    def run_once(self) -> float:
        """Do one round: feed the lanes, finish cancellations, log changes."""
        for number in self._numbers:
            active = self._batches.active(number)
            if not active:
                continue
            quiet = {id_: until for id_, hours in active.items() if hours and (until := self._quiet_until(hours))}
            while self._batches.feed(number, quiet) == ITEMS_A_STEP and not self._stop.is_set():
                pass
        if time.monotonic() >= self._sweep_at:
            self._sweep_at = time.monotonic() + SWEEP_SECONDS
            self._batches.sweep_canceled()
        self._log_changes()
        return ROUND_SECONDS

    def _quiet_until(self, hours: str) -> int | Mapping[str, int] | None:
        known_until, until = self._quiet.get(hours, (0.0, None))
        if time.monotonic() >= known_until:
            until = self._quiet_now(hours)
            self._quiet[hours] = time.monotonic() + min(QUIET_SECONDS, 60 - time.time() % 60), until
        return until

    def _quiet_now(self, hours: str) -> int | Mapping[str, int] | None:
        try:
            return QuietHours.read(hours).until(datetime.now(UTC))
        except ValueError as error:  # the machine that took the batch knows another zone: send nothing here
            self._log.error("whatsapp.batch.quiet_hours_unreadable", quiet=hours, reason=str(error))
            return round((time.time() + 2 * QUIET_SECONDS) * 1000)

    def _log_changes(self) -> None:
        for notice in self._batches.notices():
            metrics.batch_changed(notice.state, notice.reason)
            match notice.state:
                case "paused":
                    by_us = self._log.info if notice.reason == "asked" else self._log.error
                    by_us("whatsapp.batch.paused", id=notice.id, reason=notice.reason)
                case "running":
                    self._log.info("whatsapp.batch.resumed", id=notice.id)
                case "canceled":
                    self._log.info("whatsapp.batch.canceled", id=notice.id)
                case _:
                    self._log.info("whatsapp.batch.done", id=notice.id)
