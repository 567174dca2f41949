"""Ask Meta for the quality of numbers with running batches: the webhook may not be subscribed, or may be late."""

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
    """Check numbers' quality. Every worker process runs it; each number is checked once in five minutes by one."""

    def __init__(self, batches: Batches, clients: Mapping[str, WhatsAppMetaClient]) -> None:
        self._batches = batches
        self._clients = clients
        self._stop = Event()

    def consume(self) -> None:
        """Check until `stop`; the loop of one greenlet."""
        while not self._stop.wait(ROUND_SECONDS):
            try:
                self.run_once()
            except StoreUnavailableError:
                continue

    def run_once(self) -> None:
        """Check each number with running batches that was not checked lately; red quality pauses the batches."""
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
        """End `consume`."""
        self._stop.set()

    def join(self, seconds: float) -> bool:
        """Return True: a check may be interrupted."""
        del seconds
        return True
