"""The server's memory: whether it is nearly full, and what is done then."""

from __future__ import annotations

import threading
import time
from typing import Final

from wa_service.store.client import Store, text

FULL_SHARE: Final = 0.85
"""From this share on, web refuses new work."""
CROWDED_SHARE: Final = 0.8
"""From this share on, workers delete history, so that it never fills the server."""


class MemoryWatch:
    """Whether the server's memory is nearly full; read on demand, at most once a second."""

    def __init__(self, store: Store, share: float = FULL_SHARE) -> None:
        self._store = store
        self._share = share
        self._checked_at = 0.0
        self._full = False
        self._mutex = threading.Lock()

    def full(self) -> bool:
        """Whether to refuse new work, so that workers have memory to finish. Raises `StoreUnavailableError`."""
        if time.monotonic() - self._checked_at < 1.0:
            return self._full
        # Concurrent callers wait for the new answer, because the last one may be old.
        with self._mutex:
            if time.monotonic() - self._checked_at >= 1.0:
                self._full = self._ask()
                self._checked_at = time.monotonic()
            return self._full

    def _ask(self) -> bool:
        used, most = memory_of(self._store)
        return most > 0 and used > self._share * most


def memory_of(store: Store) -> tuple[int, int]:
    """Return the bytes that the server uses, and the most it may use, 0 for no limit."""
    info = dict(line.partition(":")[::2] for line in text(store.do("INFO", "memory")).splitlines())
    return int(info.get("used_memory", 0)), int(info.get("maxmemory", 0))
