"""Retry a write until the store has it; for writes that are safe to repeat."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import TypeVar

from wa_service.store.flusher import StoreUnavailableError

# A store that answers with a refusal (busy with a script, a missing permission) counts as back at once.
BETWEEN_TRIES = 0.2

T = TypeVar("T")


def retry_until_stored(write: Callable[[], T], wait_for_store: Callable[[float], bool], seconds: float) -> T:
    """Call `write`, and retry whenever the store is back, for at most `seconds` in total; return its result.

    `wait_for_store` waits at most so many seconds and returns whether the store is back.

    Raises:
        StoreUnavailableError: it did not succeed in that time.
    """
    until = time.monotonic() + seconds
    while True:
        try:
            return write()
        except StoreUnavailableError:
            back = wait_for_store(max(0.0, until - time.monotonic()))
            if not back or time.monotonic() + BETWEEN_TRIES > until:
                raise
            time.sleep(BETWEEN_TRIES)
