"""Which conversations change, for whoever looks at one: the stream is read once for all, and only while they look."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Final

from wa_service.store.events import Events
from wa_service.store.flusher import StoreUnavailableError

POLL_SECONDS: Final = 1.0
_STEP: Final = 500


class Watcher:
    """Somebody who looks at one conversation, or (None) at all."""

    def __init__(self, conversation: str | None) -> None:
        self.conversation = conversation
        self.changed = False


class LiveFeed:
    """Reads what is new at most once a second, for all watchers of a process."""

    def __init__(self, events: Events, *, clock: Callable[[], float] = time.monotonic) -> None:
        self._events = events
        self._clock = clock
        self._watchers: set[Watcher] = set()
        self._mutex = threading.Lock()
        self._cursor = ""
        self._read_at = 0.0

    @property
    def watchers(self) -> int:
        """How many watch."""
        return len(self._watchers)

    @contextmanager
    def watch(self, conversation: str | None) -> Iterator[Watcher]:
        """Watch a conversation, or (None) all."""
        watcher = Watcher(conversation)
        with self._mutex:
            if not self._watchers:
                self._cursor = self._last_cursor()
            self._watchers.add(watcher)
        try:
            yield watcher
        finally:
            with self._mutex:
                self._watchers.discard(watcher)

    def poll(self) -> None:
        """Read what is new, if nobody did within the last second, and tell the watchers whom it concerns."""
        if self._clock() - self._read_at < POLL_SECONDS or not self._mutex.acquire(blocking=False):
            return
        try:
            self._read_at = self._clock()
            entries = self._events.after(self._cursor, _STEP)
            if entries:
                self._cursor = entries[-1].cursor
            conversations = {entry.conversation for entry in entries}
            for watcher in self._watchers:
                if entries and (watcher.conversation is None or watcher.conversation in conversations):
                    watcher.changed = True
        except StoreUnavailableError:
            return
        finally:
            self._mutex.release()

    def _last_cursor(self) -> str:
        try:
            return self._events.last_cursor()
        except StoreUnavailableError:
            return ""
