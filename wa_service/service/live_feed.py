"""Live changes of conversations for open pages: the stream is read once for all, and only while pages are open."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Final

from wa_service.store.events import Entry, Events
from wa_service.store.flusher import StoreUnavailableError

POLL_SECONDS: Final = 1.0
_STEP: Final = 500
MOST_WATCHERS: Final = 50
"""Most watching pages of one process."""
MOST_OF_ONE: Final = 20
"""Most watching pages of one person."""


class TooManyWatchersError(Exception):
    """Too many pages are watching already, of this person or of all."""


class Watcher:
    """A page that watches one conversation, or (None) all.

    `is_replaced`: the same page has connected again, after it lost its connection.
    """

    def __init__(self, conversation: str | None, person: str, page: str) -> None:
        self.conversation = conversation
        self.person = person
        self.page = page
        self.changed = False
        self.is_replaced = False

    def is_concerned_by(self, entries: Sequence[Entry]) -> bool:
        """Whether one of the entries concerns the watched conversation."""
        return any(self.conversation in {None, entry.conversation} for entry in entries)


class LiveFeed:
    """Read new events at most once a second, for all watchers of a process."""

    def __init__(self, events: Events, *, clock: Callable[[], float] = time.monotonic) -> None:
        self._events = events
        self._clock = clock
        self._watchers: set[Watcher] = set()
        self._mutex = threading.Lock()
        self._cursor = ""
        self._read_at = 0.0

    @property
    def watchers(self) -> int:
        """The number of watchers."""
        return len(self._watchers)

    @property
    def cursor(self) -> str:
        """The cursor up to which the stream was read for watchers."""
        return self._cursor

    def now(self) -> str:
        """Return the newest entry's cursor. Raises `StoreUnavailableError`."""
        return self._events.last_cursor()

    @contextmanager
    def watch(
        self, conversation: str | None, person: str = "", page: str = "", *, since: str = ""
    ) -> Iterator[Watcher]:
        """Watch a conversation, or (None) all; it replaces an earlier watcher of the same page and person.

        Entries after the cursor `since` count as a change at once: they arrived after the page was rendered, or while
        its connection was lost.

        Raises:
            TooManyWatchersError: there are 20 watchers of this person or 50 of all.
        """
        watcher = Watcher(conversation, person, page)
        with self._mutex:
            for other in [other for other in self._watchers if page and (other.person, other.page) == (person, page)]:
                other.is_replaced = True
                self._watchers.discard(other)
            theirs = sum(other.person == person for other in self._watchers)
            if len(self._watchers) >= MOST_WATCHERS or theirs >= MOST_OF_ONE:
                raise TooManyWatchersError
            if not self._watchers:
                self._cursor = self._last_cursor()
            watcher.changed = bool(since) and self._has_changed(watcher, since)
            self._watchers.add(watcher)
        try:
            yield watcher
        finally:
            with self._mutex:
                self._watchers.discard(watcher)

    def poll(self) -> None:
        """Read new entries, at most once a second, and mark the watchers that they concern."""
        if self._clock() - self._read_at < POLL_SECONDS or not self._mutex.acquire(blocking=False):
            return
        try:
            self._read_at = self._clock()
            entries = self._events.after(self._cursor, _STEP)
            is_behind = len(entries) == _STEP
            if entries:  # if there are too many, skip the rest and mark all watchers
                self._cursor = self._events.last_cursor() if is_behind else entries[-1].cursor
            for watcher in self._watchers:
                watcher.changed = watcher.changed or is_behind or watcher.is_concerned_by(entries)
        except StoreUnavailableError:
            return
        finally:
            self._mutex.release()

    def _has_changed(self, watcher: Watcher, since: str) -> bool:
        try:
            entries = self._events.after(since, _STEP)
        except StoreUnavailableError:
            return True
        return len(entries) == _STEP or watcher.is_concerned_by(entries)

    def _last_cursor(self) -> str:
        try:
            return self._events.last_cursor()
        except StoreUnavailableError:
            return ""
