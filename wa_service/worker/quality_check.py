"""Asks Meta for the quality of numbers whose batches run: its webhook may not be subscribed to, or may be late."""

from __future__ import annotations

from collections.abc import Mapping

from gevent.event import Event

from wa_service.observability import log
from wa_service.store.batches import Batches
from wa_service.store.flusher import StoreUnavailableError
from wa_service.whatsapp.client import WhatsAppMetaClient
from wa_service.whatsapp.errors import WhatsAppError

ROUND_SECONDS = 10.0
_RED = "RED"


class QualityChecker:
    """Every worker process runs it; the store lets one of them ask about a number, once in five minutes."""

    def __init__(self, batches: Batches, clients: Mapping[str, WhatsAppMetaClient]) -> None:
        self._batches = batches
        self._clients = clients
        self._stop = Event()

    def consume(self) -> None:
        """Ask until `stop`; the loop of one greenlet."""
        while not self._stop.wait(ROUND_SECONDS):
            try:
                self.run_once()
            except StoreUnavailableError:
                continue

    def run_once(self) -> None:
        """Ask about each number whose batches run and that nobody asked about lately; red quality pauses them."""
        for number, client in self._clients.items():
            if not self._batches.begin_quality_check(number):
                continue
            try:
                quality = client.get_phone_number(fields="quality_rating").get("quality_rating")
            except WhatsAppError as error:
                log.get_logger().info("whatsapp.batch.quality_not_told", number=number, error=str(error))
                continue
            self._batches.note_quality(number, is_red=quality == _RED)

    def stop(self) -> None:
        """Ask nothing more."""
        self._stop.set()

    def join(self, seconds: float) -> bool:
        """Return whether nothing is under way that has to end: a question may be broken off."""
        del seconds
        return True
