"""Work in rounds, for the workers that every process runs and whose steps in the store share the work."""

from __future__ import annotations

from typing import ClassVar

from gevent.event import Event

from wa_service.store.flusher import StoreUnavailableError


class PeriodicWorker:
    """Work in rounds until `stop`. A subclass defines the rounds, which may be interrupted.

    `first_wait`: seconds before the first round; `retry_wait`: seconds until the next one when the store was
    unavailable.
    """

    first_wait: ClassVar[float] = 0.0
    retry_wait: ClassVar[float]

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

    def stop(self) -> None:
        """End `consume`."""
        self._stop.set()

    def join(self, seconds: float) -> None:
        """Return at once: nothing of a round has to end."""
