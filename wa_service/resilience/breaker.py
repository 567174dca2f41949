"""An outside service that may be away: when it fails again and again, we stop asking it for a while."""

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from threading import Lock

import pybreaker


class Unavailable(Exception):  # noqa: N818  # "not now" is an answer rather than an error
    """An outside service's breaker is open: ask again in `retry_after` seconds, and count no try."""

    def __init__(self, service: str, retry_after: float) -> None:
        self.service = service
        self.retry_after = retry_after
        super().__init__(f"{service} is away, ask again in {retry_after:.0f} s")


class OutsideService:
    """A breaker of its own for one service: open after `failures` in a row, one trial after `pause` s."""

    def __init__(
        self,
        name: str,
        failures: int = 5,
        pause: float = 30.0,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._name = name
        self._pause = pause
        self._clock = clock
        self._opened_at = -pause
        self._trial = Lock()
        self._breaker = pybreaker.CircuitBreaker(
            fail_max=failures,
            # We decide when to try again: pybreaker's half-open lets every caller through at once.
            reset_timeout=0,
            throw_new_error_on_trip=False,
            listeners=[_Opened(self._note_opened)],
            name=name,
        )

    @contextmanager
    def calling(self) -> Iterator[None]:
        """Around a call: what it raises counts as a failure, its end as a success.

        Raises Unavailable instead of letting the call go out while the service is known to be away.
        """
        if self._breaker.current_state == pybreaker.STATE_CLOSED:
            with self._breaker.calling():
                yield
            return
        left = self._opened_at + self._pause - self._clock()
        if left > 0 or not self._trial.acquire(blocking=False):
            raise Unavailable(self._name, max(left, 1.0))
        try:
            with self._breaker.calling():
                yield
        finally:
            self._trial.release()

    def _note_opened(self) -> None:
        self._opened_at = self._clock()


class _Opened(pybreaker.CircuitBreakerListener):
    """Tells when the breaker opens."""

    def __init__(self, tell: Callable[[], None]) -> None:
        self._tell = tell

    def state_change(self, _breaker: object, _old_state: object, new_state: object) -> None:
        """Called by pybreaker with positions only."""
        if getattr(new_state, "name", "") == pybreaker.STATE_OPEN:
            self._tell()
