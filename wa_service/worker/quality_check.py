"""Ask Meta for the quality of numbers with running batches: the webhook may not be subscribed, or may be late."""

from __future__ import annotations

from collections.abc import Mapping

from wa_service.observability import log
from wa_service.store.batches import Batches
from wa_service.whatsapp.client import WhatsAppMetaClient
from wa_service.whatsapp.errors import WhatsAppError
from wa_service.worker.periodic import PeriodicWorker

ROUND_SECONDS = 10.0
_RED = "RED"


class QualityChecker(PeriodicWorker):
    """Check numbers' quality. Every worker process runs it; each number is checked once in five minutes by one."""

    first_wait = retry_wait = ROUND_SECONDS

    def __init__(self, batches: Batches, clients: Mapping[str, WhatsAppMetaClient]) -> None:
        super().__init__()
        self._batches = batches
        self._clients = clients

    def run_once(self) -> float:
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
        return ROUND_SECONDS
