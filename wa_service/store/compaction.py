"""Make what was deleted be gone: from the server's memory, its copies and its append-only file.

A deleted entry of a stream is only marked; its bytes stay until the whole node that holds it is deleted, in memory, in
what DUMP, a replica and a backup get. An append-only file keeps every write until it is rewritten, which on a quiet
service may take months. So whoever erases copies the stream and asks for a rewrite, and both happen once a day. Where
the server writes snapshots as well, a new one takes the place of the last.
"""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager

from wa_service.store.client import Store, text
from wa_service.store.flusher import StoreUnavailableError

_PAGE = 500
_LOCK_SECONDS = 60
_DAY = 86_400


class Compaction:
    """Rewrites the events stream and the append-only file. Raises `StoreUnavailableError`."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self._keys = store.keys

    @contextmanager
    def stream_lock(self) -> Iterator[None]:
        """Delete entries of the stream under this lock: else a copy that another makes would bring them back."""
        lock = self._keys.of("events_lock")
        while not self._store.do("SET", lock, "1", "NX", "EX", _LOCK_SECONDS):
            time.sleep(0.1)
        try:
            yield
        finally:
            self._store.do("DEL", lock)

    def copy_stream(self) -> None:
        """Replace the stream by a copy that holds nothing deleted; for the holder of the lock."""
        self._store.do("DEL", self._keys.of("events_draft"))
        after = "0-0"
        while copied := text(self._store.call("copy_events", after=after, count=_PAGE)):
            after = copied
        self._store.call("replace_events", after=after)

    def want_rewrite(self) -> None:
        """Have the append-only file rewritten, now or as soon as it can be."""
        self._store.do("SET", self._keys.of("rewrite_wanted"), "1", "EX", 7 * _DAY)
        self.rewrite_if_wanted()

    def rewrite_if_wanted(self) -> None:
        """Start a rewrite that somebody wants, unless one is under way: that one began too early."""
        wanted = self._keys.of("rewrite_wanted")
        if not self._store.do("EXISTS", wanted):
            return
        if "aof_rewrite_in_progress:1" in text(self._store.do("INFO", "persistence")):
            return
        self._store.do("DEL", wanted)
        try:
            self._store.do("BGREWRITEAOF")
            if any(self._store.do("CONFIG", "GET", "save")[1::2]):
                self._store.do("BGSAVE", "SCHEDULE")
        except StoreUnavailableError:  # a managed server may not let us
            if self._store.availability.unavailable:
                raise

    def run_daily(self) -> None:
        """Do both, unless it was done in the last day."""
        if self._store.do("SET", self._keys.of("compacted"), "1", "NX", "EX", _DAY):
            with self.stream_lock():
                self.copy_stream()
            self.want_rewrite()
        self.rewrite_if_wanted()
