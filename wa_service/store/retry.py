"""Repeat a write until the store has it: for what is worth the wait and safe to repeat."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import TypeVar

from wa_service.store.flusher import StoreUnavailableError

# A store that refuses but is there (a script of somebody's keeps it busy, a right is missing) is "back" at once.
BETWEEN_TRIES = 0.2

T = TypeVar("T")


def retry_until_stored(write: Callable[[], T], wait_for_store: Callable[[float], bool], seconds: float) -> T:
    """Return what `write` returns, repeated once the store is back, for at most `seconds` in all.

    `wait_for_store` waits at most so many seconds and says whether the store is back.

    Raises:
        StoreUnavailableError: it was not done in that time.
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
