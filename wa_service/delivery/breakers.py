"""One number's circuit breaker: pybreaker counts in this process, its opening pauses the number for all.

What pybreaker alone would get wrong, measured before the first line: `call()` holds its lock through the whole
guarded call, so `calling()` is used; an excluded error resets its counter, so that 75 % failures mixed with
refusals never opened it: here a refusal changes nothing; half-open lets every caller through, so it is the pause
in the store that grants one probe, and the breaker reopens soon enough never to stand in its way.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager

import pybreaker

from wa_service.whatsapp.errors import (
    WhatsAppCircuitOpenError,
    WhatsAppConnectionError,
    WhatsAppError,
    WhatsAppOutcomeUnknownError,
    WhatsAppServerError,
)

FAILURES = 5
REOPEN_SECONDS = 1.0
# Meta itself is unwell; everything else it says is an answer.
ILL = (WhatsAppConnectionError, WhatsAppOutcomeUnknownError, WhatsAppServerError)


class _Counter(pybreaker.CircuitMemoryStorage):
    """pybreaker's memory, in which a refusal can leave the count of failures as it is."""

    def __init__(self) -> None:
        super().__init__(pybreaker.STATE_CLOSED)
        self.keeps_count = False

    def reset_counter(self) -> None:
        if not self.keeps_count:
            super().reset_counter()


class _Opened(pybreaker.CircuitBreakerListener):
    def __init__(self, told: Callable[[], None]) -> None:
        self._told = told

    def state_change(
        self,
        cb: pybreaker.CircuitBreaker,  # noqa: ARG002 - pybreaker's signature
        old_state: pybreaker.CircuitBreakerState | None,  # noqa: ARG002 - pybreaker's signature
        new_state: pybreaker.CircuitBreakerState,
    ) -> None:
        if new_state.name == pybreaker.STATE_OPEN:
            self._told()


class Breaker:
    """Guards the calls to Meta for one number, or for management. `opened` is told when it opens.

    `opened` runs in the failing call, so it must not raise.
    """

    def __init__(
        self,
        opened: Callable[[], None],
        *,
        failures: int = FAILURES,
        reopen_seconds: float = REOPEN_SECONDS,
    ) -> None:
        self._reopen_seconds = reopen_seconds
        self._counter = _Counter()
        self._breaker = pybreaker.CircuitBreaker(
            fail_max=failures,
            reset_timeout=reopen_seconds,
            state_storage=self._counter,
            listeners=[_Opened(opened)],
            throw_new_error_on_trip=False,  # else the real error is hidden
        )

    @contextmanager
    def guard(self, call: str) -> Iterator[None]:  # noqa: ARG002 - the transport names its call
        """Around one call to Meta.

        Raises:
            WhatsAppCircuitOpenError: nothing was tried.
        """
        calling = self._breaker.calling()
        try:
            calling.__enter__()
        except pybreaker.CircuitBreakerError:
            raise WhatsAppCircuitOpenError(
                "Calls to Meta are paused after failures.", retry_after=self._reopen_seconds
            ) from None
        try:
            yield
        except ILL as error:
            calling.__exit__(type(error), error, error.__traceback__)
            raise
        except BaseException as error:
            # Meta answered, or we broke off ourselves (then what happened is judged by the caller).
            if not isinstance(error, WhatsAppError):
                calling.__exit__(type(error), error, error.__traceback__)
            else:
                self._counter.keeps_count = self._breaker.current_state == pybreaker.STATE_CLOSED
                try:
                    calling.__exit__(None, None, None)
                finally:
                    self._counter.keeps_count = False
            raise
        else:
            calling.__exit__(None, None, None)

    @property
    def is_open(self) -> bool:
        """Whether calls fail at once now."""
        return bool(self._breaker.current_state == pybreaker.STATE_OPEN)
