"""Compare our counts with Meta's charges, once a day for all processes."""

from __future__ import annotations

from wa_service.observability import log
from wa_service.service.costs import CostService
from wa_service.whatsapp.errors import WhatsAppError
from wa_service.worker.periodic import PeriodicWorker

ROUND_SECONDS = 3_600.0
FIRST_SECONDS = 60.0


class CostChecker(PeriodicWorker):
    """Compare costs. Every worker process runs it; the store lets one of them compare a day."""

    first_wait = FIRST_SECONDS
    retry_wait = ROUND_SECONDS

    def __init__(self, costs: CostService) -> None:
        super().__init__()
        self._costs = costs

    def run_once(self) -> float:
        """Compare a day that was not compared yet."""
        try:
            self._costs.compare()
        except WhatsAppError as error:
            log.get_logger().info("whatsapp.costs.not_compared", error=str(error))
        return ROUND_SECONDS
