"""Management calls (templates, profile, nodes, media): a separate breaker, and throttling near Meta's limit."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from wa_service.delivery.breakers import MetaBreaker
from wa_service.whatsapp.errors import WhatsAppRateLimitError
from wa_service.whatsapp.http.transport import CallOutcome

NEAR_PERCENT = 90.0
SECONDS_A_PERCENT = 3.0
# These count for the number's throughput, not for the limits on management calls (reference 7.3).
FREE_CALLS = frozenset({"messages", "mark_as_read", "media", "media_download", "media_upload"})


class ManagementGuard:
    """Guard one process's management calls; `on_open` is called when their breaker opens.

    Above 90 % of a limit (`X-Business-Use-Case-Usage`, `X-App-Usage`) calls are spaced by 3 s for each percent above;
    if Meta names a time to regain access, no call is made before it.
    """

    def __init__(self, on_open: Callable[[], None], clock: Callable[[], float] = time.monotonic) -> None:
        self._breaker = MetaBreaker(on_open)
        self._clock = clock
        self._next = 0.0

    @contextmanager
    def guard(self, call: str) -> Iterator[None]:
        """Run one call in the block.

        Raises:
            WhatsAppRateLimitError: it must wait `retry_after` seconds; no call was made.
            WhatsAppCircuitOpenError: the breaker is open; no call was made.
        """
        wait = self._next - self._clock()
        if wait > 0 and call not in FREE_CALLS:
            raise WhatsAppRateLimitError("Meta's limit on management calls is nearly used up.", retry_after=wait)
        with self._breaker.guard(call):
            yield

    def observe(self, outcome: CallOutcome) -> None:
        """Update the spacing from the usage in Meta's answer."""
        for usage in outcome.usage:
            seconds = max(usage.regain_minutes * 60.0, (usage.percent - NEAR_PERCENT) * SECONDS_A_PERCENT)
            if seconds > 0:
                self._next = max(self._next, self._clock() + seconds)
