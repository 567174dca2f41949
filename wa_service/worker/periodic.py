"""Work in rounds, for the workers that every process runs and whose steps in the store share the work."""

from __future__ import annotations

from typing import ClassVar

from gevent.event import Event

from wa_service.observability import log
from wa_service.store.flusher import StoreUnavailableError


class PeriodicWorker:
    """Work in rounds until `stop`. A subclass defines the rounds, which may be interrupted.

    `first_wait`: seconds before the first round; `retry_wait`: seconds until the next one when the store was
    unavailable; `failed_wait`: after an unexpected error.
    """

    first_wait: ClassVar[float] = 0.0
    retry_wait: ClassVar[float]
    failed_wait: ClassVar[float] = 10.0

    def __init__(self) -> None:
        self._stop = Event()

    def run_once(self) -> float:
        """Do one round; return the seconds until the next one, or raise `StoreUnavailableError`."""
        raise NotImplementedError

    def consume(self) -> None:
        """Do rounds until `stop`; the loop of one greenlet."""
        wait = self.first_wait
        while not self._stop.wait(wait):
            try:
                wait = self.run_once()
            except StoreUnavailableError:
                wait = self.retry_wait
            except Exception as error:  # noqa: BLE001 - it may fail in each round: the process has other work, too
                log.get_logger().error("whatsapp.worker.round_failed", worker=type(self).__name__, exc_info=error)
                wait = self.failed_wait

    def stop(self) -> None:
        """End `consume`."""
        self._stop.set()

    def join(self, seconds: float) -> None:
        """Return at once: nothing of a round has to end."""
