"""The events stream, the lists of events that are not handled, and the limits from Meta."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Literal

import orjson

from wa_service.store.batches import longest_wait
from wa_service.store.client import Store, text
from wa_service.store.compaction import Compaction
from wa_service.store.flusher import Command
from wa_service.store.keys import SEEN_SECONDS, mark
from wa_service.store.size_limits import bounded, shallow, write
from wa_service.whatsapp.webhooks.events import Piece
from wa_service.whatsapp.webhooks.identity import identity_of_address

# The kind of an entry in an unknown form of another version; it does not stop the reader.
UNREADABLE = "unreadable"
# Bounds one step: trimming 400,000 entries blocks the server for 67 ms.
MOST_TRIMMED = 10_000
LARGEST_QUARANTINED = 65_536
"""Most bytes of one value in the list of management events."""
Kind = Literal[
    "message",
    "transcript",
    "send",
    "status",
    "foreign_status",
    "management",
    "echo",
    "standby",
    "handover",
    "history",
    "erased",
    "console",
    "pause",
    "stop",
    "batch",
    "push",
]


@dataclass(frozen=True, slots=True)
class Entry:
    """One entry of the stream: cursor, kind, conversation ("" none) and data."""

    cursor: str
    kind: str
    conversation: str
    data: Mapping[str, Any]


class Events:
    """The events stream, oldest first, trimmed by age. Raises `StoreUnavailableError`."""

    def __init__(self, store: Store, *, retention_seconds: int, schedule_days: int = 35) -> None:
        self._store = store
        self._retention = retention_seconds
        self._batch_wait = longest_wait(schedule_days)

    def after(self, cursor: str, count: int) -> list[Entry]:
        """At most `count` entries after a cursor ("" or "0": from the beginning)."""
        start = f"({cursor}" if cursor not in {"", "0"} else "-"
        found = self._store.do("XRANGE", self._store.keys.events, start, "+", "COUNT", count)
        if not found and start != "-":
            self._store.call("continue_events", cursor=cursor)
        return [read_entry(raw) for raw in found]

    def find(self, cursor: str) -> Entry | None:
        """Return the whole entry at a cursor, also that of a large event."""
        whole, found = self._store.run(
            [
                ("HGET", self._store.keys.of("large_event", cursor), "event"),
                ("XRANGE", self._store.keys.events, cursor, cursor),
            ]
        )
        if not found:
            return None
        entry = read_entry(found[0])
        return entry if whole is None else replace(entry, data=orjson.loads(whole))

    def last_cursor(self) -> str:
        """Return the newest entry's cursor, "0" when there is none."""
        newest = self._store.do("XREVRANGE", self._store.keys.events, "+", "-", "COUNT", 1)
        return text(newest[0][0]) if newest else "0"

    def display_numbers(self, numbers: Sequence[str]) -> dict[str, str]:
        """Return our displayed numbers by phone number id, as far as webhooks have named them."""
        shown = self._store.run([("HGET", self._store.keys.meta_limits(number), "seen_as") for number in numbers])
        return {number: text(digits) for number, digits in zip(numbers, shown, strict=True) if digits}

    def trim(self) -> None:
        """Remove entries past the retention; called about once a minute.

        Once a day, deleted data is also removed from the server's memory and files.
        """
        trimmed = MOST_TRIMMED
        while trimmed >= MOST_TRIMMED / 2:
            trimmed = self._store.call(
                "trim", retention=self._retention, batch_wait=self._batch_wait, most=MOST_TRIMMED
            )
        Compaction(self._store).run_daily()

    def make_room(self) -> int:
        """Delete the oldest tenth of the stream before its retention, to make room for intake. Return how many."""
        stream = self._store.keys.events
        left = int(self._store.do("XLEN", stream)) * 9 // 10
        return int(self._store.do("XTRIM", stream, "MAXLEN", "~", left, "LIMIT", MOST_TRIMMED))

    def management(self, field: str, data: Mapping[str, Any], value: Any, *, event_mark: bytes = b"") -> Command:
        """Store a management event or a notice, and append it to the stream. Result: b"kept", or b"duplicate".

        `event_mark`: by which the event is known when Meta delivers it again; empty: each delivery is stored.
        The list has only the short values of a large value; list and stream have only those of one nested too deeply.
        """
        event = {"field": field, **data}
        short = orjson.dumps(event | {"value": bounded(value, LARGEST_QUARANTINED)})
        try:
            whole = write(event | {"value": value})
        except TypeError:
            whole = short
        return self._quarantine("management", short, kind="management", event=whole, event_mark=event_mark)

    def console(self, conversation: str, change: Mapping[str, Any]) -> None:
        """Append a person's change in the console; conversation: the one it is about, "" none."""
        self._store.call(
            "tell_console", conversation=conversation, change=orjson.dumps(dict(change)), retention=self._retention
        )

    def history(self, piece: Piece) -> Command:
        """Append the earlier messages of a thread, each once. Result: b"kept" or b"duplicate"."""
        number, raw = piece.phone_number_id, piece.raw
        marks_and_messages: list[bytes] = []
        for message in raw["messages"]:
            content = _written(message)
            has_id = isinstance(message, dict) and message.get("id")
            named = (message["id"], message.get("type")) if has_id else (content, "")
            marks_and_messages += [mark(number, f"history {named}"), content]
        return self._store.step(
            "history",
            number=number,
            who=orjson.dumps(identity_of_address(raw["thread"]).as_argument(0)),
            thread=raw["thread"],
            metadata=_written(raw["metadata"]),
            retention=self._retention,
            mark_seconds=SEEN_SECONDS,
            marks_and_messages=marks_and_messages,
        )

    def name_contact(self, number: str, address: str, name: str) -> Command:
        """Name a known customer who has no name. Result: 1, or 0 where there is none such."""
        who = orjson.dumps(identity_of_address(address).as_argument(0))
        return self._store.step("name_contact", number=number, who=who, name=name[:256], retention=self._retention)

    def stray(self, data: Mapping[str, Any]) -> Command:
        """Store an event for a number that is not ours; it is not answered. Result: b"kept"."""
        return self._quarantine("stray", orjson.dumps(data), kind="")

    def _quarantine(
        self, name: str, entry: bytes, *, kind: str, event: bytes = b"", event_mark: bytes = b""
    ) -> Command:
        return self._store.step(
            "quarantine",
            list=name,
            entry=entry,
            retention=self._retention,
            kind=kind,
            event=event,
            mark=event_mark,
            mark_seconds=SEEN_SECONDS,
        )

    def set_limits(
        self, number_or_waba: str, *, throughput: int | None = None, daily_limit: int | None = None, at: int = 0
    ) -> Command:
        """Store limits from Meta (0 in `daily_limit`: unlimited) of a time `at` (s, 0 unknown).

        Result: 1, or 0 if later ones are stored.
        """
        facts: list[str] = []
        if throughput is not None:
            facts += ["throughput", str(throughput)]
        if daily_limit is not None:
            facts += ["daily_limit", str(daily_limit)]
        return self._store.step("set_meta_limits", number_or_waba=number_or_waba, at=at, facts=tuple(facts))

    def set_display_number(self, number: str, digits: str) -> Command:
        """Store the digits under which customers see one of our numbers."""
        return self._store.step("set_meta_limits", number_or_waba=number, at=0, facts=("seen_as", digits))

    def apply_upgrade(self, digits: str, throughput: int, ours: Sequence[str]) -> Command:
        """Store the throughput of the number of `ours` that is displayed as `digits`. Result: the number, b"" none."""
        return self._store.step("apply_upgrade", digits=digits, throughput=throughput, numbers=tuple(ours))


def read_entry(raw: Any) -> Entry:
    """Read an entry of XRANGE's reply."""
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


def _written(value: Any) -> bytes:
    """A value as JSON; if it is nested too deeply, its short values."""
    try:
        return write(value)
    except TypeError:
        return orjson.dumps(shallow(value))
