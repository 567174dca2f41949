"""A circuit breaker for services that may be down: Meta, an operator's responder, a speech service.

pybreaker counts the failures. Its other features are not used, since `call()` holds its lock during the call (five
calls of 0.3 s took 1.5 s), half-open lets all callers through at once, and an excluded error resets the count (75 %
failures mixed with refusals never opened it). So outcomes are reported to it after the calls.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from threading import Lock

import pybreaker


class Unavailable(Exception):  # noqa: N818  # "not now" is an answer rather than an error
    """A service's breaker is open: retry in `retry_after` seconds, without counting a try."""

    def __init__(self, service: str, retry_after: float) -> None:
        self.service = service
        self.retry_after = retry_after
        super().__init__(f"{service} is unavailable, retry in {retry_after:.0f} s")


class CircuitBreaker:
    """Opens after `failures` in a row; then after each `pause` (s) one trial call decides whether it closes.

    `on_open` is called in the failing call, each time it opens. `is_answer` tells which errors show that the service
    works: they close an open breaker, and neither count nor reset the count of a closed one.
    """

    def __init__(
        self,
        name: str,
        *,
        failures: int = 5,
        pause: float = 30.0,
        on_open: Callable[[], None] = lambda: None,
        is_answer: Callable[[BaseException], bool] = lambda _: False,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._name = name
        self._pause = pause
        self._on_open = on_open
        self._is_answer = is_answer
        self._clock = clock
        self._opened_at = -pause
        self._trial = Lock()
        self._breaker = pybreaker.CircuitBreaker(
            fail_max=failures,
            reset_timeout=0,  # this class decides when to try again
            throw_new_error_on_trip=False,  # it would hide the real error
            listeners=[_OpenListener(self._opened)],
            name=name,
        )

    @property
    def is_open(self) -> bool:
        """Whether calls other than the trial fail at once."""
        return bool(self._breaker.current_state != pybreaker.STATE_CLOSED)

    @contextmanager
    def calling(self) -> Iterator[None]:
        """Run a call to the service in the block, and count its outcome.

        Raises:
            Unavailable: the breaker is open, nothing was tried.
        """
        if not self.is_open:
            with self._reported(is_trial=False):
                yield
            return
        left = self._opened_at + self._pause - self._clock()
        if left > 0 or not self._trial.acquire(blocking=False):
            raise Unavailable(self._name, max(left, 1.0))
        try:
            with self._reported(is_trial=True):
                yield
        finally:
            self._trial.release()

    @contextmanager
    def _reported(self, *, is_trial: bool) -> Iterator[None]:
        try:
            yield
        except BaseException as error:
            if self._is_answer(error):
                if is_trial:
                    self._breaker.call(_succeed)
                raise
            if is_trial or not self.is_open:
                with self._breaker.calling():
                    raise
            raise
        # A call that began before the breaker opened must not close it.
        if is_trial or not self.is_open:
            self._breaker.call(_succeed)

    def _opened(self) -> None:
        self._opened_at = self._clock()
        self._on_open()


def _succeed() -> None:
    """Stand in for a successful call."""


class _OpenListener(pybreaker.CircuitBreakerListener):
    def __init__(self, opened: Callable[[], None]) -> None:
        self._opened = opened

    def state_change(self, _breaker: object, _old_state: object, new_state: object) -> None:
        """Called by pybreaker with positional arguments only."""
        if getattr(new_state, "name", "") == pybreaker.STATE_OPEN:
            self._opened()
