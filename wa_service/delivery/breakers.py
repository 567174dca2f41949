"""The circuit breaker of one number's calls to Meta. It is local to a process; when it opens, the number is paused.

The pause in the store grants one probe at a time; this breaker is half-open again before a probe is granted.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager

from wa_service.resilience.breaker import CircuitBreaker, Unavailable
from wa_service.whatsapp.errors import (
    WhatsAppCircuitOpenError,
    WhatsAppConnectionError,
    WhatsAppError,
    WhatsAppOutcomeUnknownError,
    WhatsAppServerError,
)

FAILURES = 5
REOPEN_SECONDS = 1.0
# Only these count as failures of Meta's; any other error is a regular answer.
_META_UNWELL = (WhatsAppConnectionError, WhatsAppOutcomeUnknownError, WhatsAppServerError)


class MetaBreaker:
    """Guard the calls to Meta for one number, or for management.

    `on_open` runs in the failing call, so it must not raise.
    """

    def __init__(
        self, on_open: Callable[[], None], *, failures: int = FAILURES, reopen_seconds: float = REOPEN_SECONDS
    ) -> None:
        self._breaker = CircuitBreaker(
            "Meta", failures=failures, pause=reopen_seconds, on_open=on_open, is_answer=_is_answer
        )

    @contextmanager
    def guard(self, call: str) -> Iterator[None]:  # noqa: ARG002 - the transport names its call
        """Run one call to Meta in the block.

        Raises:
            WhatsAppCircuitOpenError: the breaker is open; no call was made.
        """
        try:
            with self._breaker.calling():
                yield
        except Unavailable as unavailable:
            raise WhatsAppCircuitOpenError(
                "Calls to Meta are paused after failures.", retry_after=unavailable.retry_after
            ) from None

    @property
    def is_open(self) -> bool:
        return self._breaker.is_open


def _is_answer(error: BaseException) -> bool:
    return isinstance(error, WhatsAppError) and not isinstance(error, _META_UNWELL)
