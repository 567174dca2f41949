"""Threads: what happened in a conversation, in order, as a list of references.

An entry is `e` and an id in the events stream, `r` and a record's id, or `n` and a JSON note: see
steps/shared/thread.lua. The first two also identify a conversation where its customer's address must not be used, as in
a URL.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from hashlib import sha1
from typing import Any, Final

import orjson

from wa_service.store.client import Store, fields, text
from wa_service.store.events import Entry, read_entry
from wa_service.store.keys import mark
from wa_service.store.records import Record, read_record

_EVENT: Final = re.compile(r"e([0-9]{1,19}-[0-9]{1,19})")
_RECORD: Final = re.compile(r"r([0-9A-Za-z_-]{1,64})")
_TAIL: Final = 20


@dataclass(frozen=True, slots=True)
class ThreadPlace:
    """One entry of a thread, read: an event, a record or a note; `place` is the stored entry."""

    place: str
    event: Entry | None = None
    record: Record | None = None
    note: dict[str, Any] | None = None

    @property
    def at(self) -> int:
        """When it happened (ms); of a record: when it was requested."""
        if self.event is not None:
            return int(self.event.cursor.partition("-")[0])
        if self.record is not None:
            # By rank: Meta's times are whole seconds, so its first status may seem older than ours.
            return next((at for _, at in self.record.history), 0)
        return int((self.note or {}).get("at", 0))


@dataclass(frozen=True, slots=True)
class ThreadPart:
    """A part of a thread, oldest first, without expired items.

    `later`: some items after it, which may be notes, transcripts or answers of its messages; `older`: the place before
    which the next part ends, None at the beginning.
    """

    items: list[ThreadPlace]
    later: list[ThreadPlace]
    older: str | None


class Threads:
    """The threads, and the recently active conversations. Raises `StoreUnavailableError`."""

    def __init__(self, store: Store) -> None:
        self._store = store

    def page(self, conversation: str, before: str = "", count: int = 100) -> ThreadPart:
        """Return about `count` entries before a place ("": the newest).

        Raises:
            LookupError: the thread does not have this place, or no longer.
        """
        key = self._store.keys.thread(conversation)
        length, found = self._store.run([("LLEN", key), ("LPOS", key, before)])
        if before and found is None:
            raise LookupError(before)
        end = int(found) if before else int(length)
        start = max(0, end - count)
        places = self._places(key, start, end - 1)
        while start and not any(map(_identifies, places)):  # the next page begins before an event or a record
            start, further = max(0, start - count), start
            places = self._places(key, start, further - 1) + places
        later = self._places(key, end, end + _TAIL - 1) if before else []
        oldest = next(filter(_identifies, places), None) if start else None
        return ThreadPart(self._in_order(places), self._in_order(later), oldest)

    def around(self, place: str, count: int = 100) -> list[ThreadPlace]:
        """Return the items around one, oldest first: some before it, and more after it."""
        conversation = self.conversation_of(place)
        if conversation is None:
            return []
        key = self._store.keys.thread(conversation)
        found = self._store.do("LPOS", key, place)
        if found is None:
            return []
        return self._in_order(self._places(key, max(0, int(found) - count // 4), int(found) + count))

    def conversation_of(self, place: str) -> str | None:
        """Return the conversation of an event's or a record's place, None where it has expired."""
        conversation = ""
        if found := _EVENT.fullmatch(place):
            raw = self._store.do("XRANGE", self._store.keys.events, found[1], found[1])
            conversation = read_entry(raw[0]).conversation if raw else ""
        elif found := _RECORD.fullmatch(place):
            conversation = text(self._store.do("HGET", self._store.keys.record(found[1]), "c"))
        if not conversation:
            return None
        return text(self._store.do("GET", self._store.keys.of("joined", conversation))) or conversation

    def place_of_message(self, number: str, message_id: str) -> str | None:
        """Return the place of a received message, by Meta's id of it."""
        seen = f"{self._store.keys.prefix}seen:".encode() + mark(number, message_id)
        cursor = text(self._store.do("GET", seen))
        return f"e{cursor}" if _EVENT.fullmatch(f"e{cursor}") else None

    def last_places(self, conversations: Sequence[str]) -> dict[str, str]:
        """Return a place that identifies each conversation; conversations without one are left out."""
        keys = self._store.keys
        tails = self._store.run([("LRANGE", keys.thread(c), -_TAIL, -1) for c in conversations])
        named = {}
        for conversation, tail in zip(conversations, tails, strict=True):
            places = [place for place in map(text, tail) if _identifies(place)]
            if places:
                named[conversation] = places[-1]
        return named

    def recent(self, count: int = 50) -> list[tuple[str, int]]:
        """Return the most recently active conversations: (conversation, when in ms, to the minute)."""
        flat = self._store.do("ZREVRANGE", self._store.keys.recent, 0, count - 1, "WITHSCORES")
        return [(text(flat[i]), int(float(flat[i + 1]))) for i in range(0, len(flat), 2)]

    def tagged(self, tag: str, count: int = 50) -> list[str]:
        """Return the ids of the newest sends with a tag, the newest first."""
        digest = sha1(tag.encode(), usedforsecurity=False).hexdigest()
        return [text(raw) for raw in self._store.do("LRANGE", self._store.keys.of("tagged", digest), 0, count - 1)]

    def _places(self, key: str, start: int, end: int) -> list[str]:
        return [text(raw) for raw in self._store.do("LRANGE", key, start, end)] if start <= end else []

    def _in_order(self, places: Sequence[str]) -> list[ThreadPlace]:
        return sorted(self._read(places), key=lambda item: item.at)

    def _read(self, places: Sequence[str]) -> list[ThreadPlace]:
        keys = self._store.keys
        commands: list[tuple[Any, ...]] = []
        for place in places:
            if place.startswith("e"):
                commands.append(("XRANGE", keys.events, place[1:], place[1:]))
            elif place.startswith("r"):
                commands.append(("HGETALL", keys.record(place[1:])))
        answers = iter(self._store.run(commands)) if commands else iter(())
        items = []
        for place in places:
            item = ThreadPlace(place, note=_note(place)) if place.startswith("n") else _item(place, next(answers))
            if item is not None:
                items.append(item)
        return items


def _identifies(place: str) -> bool:
    """Whether a place is an event or a record: a note has no id, and holds text."""
    return place[:1] in {"e", "r"}


def _item(place: str, raw: Any) -> ThreadPlace | None:
    if place.startswith("e"):
        return ThreadPlace(place, event=read_entry(raw[0])) if raw else None
    data = fields(raw)
    return ThreadPlace(place, record=read_record(place[1:], data)) if "status" in data else None


def _note(place: str) -> dict[str, Any]:
    try:
        note = orjson.loads(place[1:])
    except ValueError:
        return {}
    return note if isinstance(note, dict) else {}
