"""The events stream, what was kept aside, and the limits that Meta told us."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

import orjson

from wa_service.store import keys
from wa_service.store.client import Store, text
from wa_service.store.flusher import Command

# The kind of an entry that another version wrote in a form we do not know: its siblings are read all the same.
UNREADABLE = "unreadable"
Kind = Literal["message", "heard", "send", "status", "management"]


@dataclass(frozen=True, slots=True)
class Entry:
    """One entry of the stream: its cursor, its kind, the conversation ("" none) and its data."""

    cursor: str
    kind: str
    conversation: str
    data: Mapping[str, Any]


class Events:
    """What customers wrote and what became of sends, oldest first, forgotten by age. Raises `StoreAwayError`."""

    def __init__(self, store: Store, *, keep_seconds: int) -> None:
        self._store = store
        self._keep = keep_seconds

    def after(self, cursor: str, count: int) -> list[Entry]:
        """At most `count` entries after a cursor ("" or "0": from the beginning)."""
        start = f"({cursor}" if cursor not in {"", "0"} else "-"
        return [self._entry(raw) for raw in self._store.do("XRANGE", keys.EVENTS, start, "+", "COUNT", count)]

    def last_cursor(self) -> str:
        """The newest entry's cursor, "0" when there is none."""
        newest = self._store.do("XREVRANGE", keys.EVENTS, "+", "-", "COUNT", 1)
        return text(newest[0][0]) if newest else "0"

    def tidy(self) -> None:
        """Forgets what is over its time: events, and places of dead letters that are gone. About once a minute."""
        self._store.call("tidy", self._keep)

    def management(self, field: str, data: Mapping[str, Any]) -> Command:
        """Keeps a management event or a notice, and tells the stream. Result: b"kept"."""
        entry = orjson.dumps({"field": field, **data})
        return self._store.step("aside", "management", entry, self._keep, "", "management")

    def stray(self, data: Mapping[str, Any]) -> Command:
        """Keeps what came for a number that is not ours; nobody answers it. Result: b"kept"."""
        return self._store.step("aside", "stray", orjson.dumps(data), self._keep, "", "")

    def limits_said(
        self, number_or_waba: str, *, throughput: int | None = None, daily_limit: int | None = None
    ) -> Command:
        """Remembers limits that Meta told us (0 in `daily_limit`: unlimited). Result: 1."""
        said: dict[str, int] = {}
        if throughput is not None:
            said["throughput"] = throughput
        if daily_limit is not None:
            said["daily_limit"] = daily_limit
        return self._store.step("said", number_or_waba, *(part for pair in said.items() for part in pair))

    def seen_as(self, number: str, digits: str) -> Command:
        """Remembers as which number customers see one of ours. Result: 1."""
        return self._store.step("said", number, "seen_as", digits)

    def upgraded(self, digits: str, throughput: int, ours: Sequence[str]) -> Command:
        """Remembers the throughput of that of `ours` which customers see as `digits`. Result: the number, b"" none."""
        return self._store.step("upgraded", digits, throughput, *ours)

    @staticmethod
    def _entry(raw: Any) -> Entry:
        cursor, flat = raw
        entry = dict(zip(flat[::2], flat[1::2], strict=True))
        kind, conversation = text(entry.get(b"k")), text(entry.get(b"c"))
        try:
            data = orjson.loads(entry.get(b"d", b""))
        except ValueError:
            data = None
        if not isinstance(data, dict):
            kind, data = UNREADABLE, {}
        return Entry(text(cursor), kind, conversation, data)
