"""Compare our counts with Meta's charges, once a day for all processes."""

from __future__ import annotations

from gevent.event import Event

from wa_service.observability import log
from wa_service.service.costs import CostService
from wa_service.store.flusher import StoreUnavailableError
from wa_service.whatsapp.errors import WhatsAppError

ROUND_SECONDS = 3_600.0
FIRST_SECONDS = 60.0


class CostChecker:
    """Compare costs. Every worker process runs it; the store lets one of them compare a day."""

    def __init__(self, costs: CostService) -> None:
        self._costs = costs
        self._stop = Event()

    def consume(self) -> None:
        """Compare until `stop`; the loop of one greenlet."""
        wait = FIRST_SECONDS
        while not self._stop.wait(wait):
            wait = ROUND_SECONDS
            self.run_once()

    def run_once(self) -> None:
        """Compare a day that was not compared yet."""
        try:
            self._costs.compare()
        except StoreUnavailableError:
            return
        except WhatsAppError as error:
            log.get_logger().info("whatsapp.costs.not_compared", error=str(error))

    def stop(self) -> None:
        """End `consume`."""
        self._stop.set()

    def join(self, seconds: float) -> bool:
        """Return True: a comparison may be interrupted."""
        del seconds
        return True
