"""Remove deleted data physically: from the server's memory, its replicas, snapshots and append-only file.

Deleting a stream entry only marks it; its bytes stay until its whole node is deleted, also in DUMP, replicas and
backups. An append-only file keeps every write until it is rewritten, which on a quiet service may take months. So an
erasure copies the stream and requests a rewrite, and both also happen once a day. A server that writes snapshots is
asked for a new one.
"""

from __future__ import annotations

import secrets
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial

from wa_service.observability import log
from wa_service.store.client import Store, text
from wa_service.store.flusher import StoreUnavailableError
from wa_service.store.memory import CROWDED_SHARE, memory_of

_PAGE = 500
_LOCK_SECONDS = 60
_DAY = 86_400


class Compaction:
    """Rewrites the events stream and the append-only file. Raises `StoreUnavailableError`."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self._keys = store.keys

    def copy_stream(self, delete: Callable[[Callable[[], None]], None] = lambda _: None) -> None:
        """Replace the stream by a copy without deleted entries.

        `delete` deletes entries first, because a copy that began before would restore them. It calls its argument at
        least every minute. If this process is suspended for longer than the lock lives, both begin again. Without
        memory for a copy, the data of deleted entries stays until a later copy, or as long as that of their neighbours.
        """
        is_copied = False
        while not is_copied:
            with self._stream_lock() as lock:
                delete(partial(self._renew, lock, _LOCK_SECONDS))
                if not self._has_room():
                    log.get_logger().warning("whatsapp.store.stream_not_copied")
                    return
                is_copied = self._copy(lock)

    def _has_room(self) -> bool:
        """Whether a copy leaves the memory below the share from which on workers delete history."""
        used, most = memory_of(self._store)
        if most == 0:
            return True
        try:
            used += int(self._store.do("MEMORY", "USAGE", self._keys.events) or 0)
        except StoreUnavailableError:  # a managed server may not allow it
            if self._store.availability.unavailable:
                raise
        return used < CROWDED_SHARE * most

    @contextmanager
    def _stream_lock(self) -> Iterator[str]:
        lock = secrets.token_hex(8)
        while self._store.call("take_events_lock", lock=lock, seconds=_LOCK_SECONDS) == 0:
            time.sleep(0.1)
        try:
            yield lock
        finally:
            self._renew(lock, 0)

    def _renew(self, lock: str, seconds: int) -> None:
        self._store.call("renew_events_lock", lock=lock, seconds=seconds)

    def _copy(self, lock: str) -> bool:
        """Return whether the stream was replaced; False if the copy must begin again."""
        after = "0-0"
        while copied := self._store.call("copy_events", lock=lock, after=after, count=_PAGE):
            after = text(copied)
        return copied != 0 and bool(self._store.call("replace_events", lock=lock, after=after) == 1)

    def want_rewrite(self) -> None:
        """Request a rewrite of the append-only file, now or as soon as possible."""
        self._store.call("want_rewrite", seconds=7 * _DAY)
        self.rewrite_if_wanted()

    def rewrite_if_wanted(self) -> None:
        """Start a requested rewrite, unless one is running, which began too early to count."""
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
        except StoreUnavailableError:  # a managed server may not allow it
            if self._store.availability.unavailable:
                raise

    def run_daily(self) -> None:
        """Copy the stream and request a rewrite, at most once a day."""
        if self._store.do("SET", self._keys.of("compacted"), "1", "NX", "EX", _DAY):
            self.copy_stream()
            self.want_rewrite()
        self.rewrite_if_wanted()
