"""Records of sends: status, history, Meta's error."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import orjson

from wa_service.store.client import Store, fields, text
from wa_service.store.flusher import Command
from wa_service.store.keys import mark

RANKS = {
    "scheduled": -1,
    "queued": 0,
    "sending": 1,
    "unknown": 1,
    "canceled": 1,
    "accepted": 2,
    "sent": 3,
    "failed": 4,
    "delivered": 5,
    "read": 6,
    "played": 7,
}
WAITING = frozenset({"queued", "sending"})
_HELD = frozenset({"scheduled", "accepted"})
"""Statuses in which a send may be held: by us, or by Meta."""
_ITEM = re.compile(r"([0-9a-f]{24})([0-9a-f]{8})")

MOST_SHORTENED = 2_000
"""Sends that one step reads to delete their content."""
STEP = 200
"""Records that one round trip of a list reads."""
MOST_LOOKED_AT = 5_000
"""Records that one list reads, however few of them match."""


@dataclass(frozen=True, slots=True)
class RecordFilter:
    """Which records to list; None: any. `since`: ms since 1970. `conversations`: those of the customer `to`."""

    status: str | None = None
    to: str | None = None
    tag: str | None = None
    since: int = 0
    batch: str | None = None
    conversations: frozenset[str] = frozenset()

    def accepts(self, record: Record) -> bool:
        """Whether a record matches."""
        return (
            self.status in {None, record.status}
            and (
                self.to in {None, record.to, record.conversation.partition(":")[2]}
                or record.conversation in self.conversations
            )
            and self.tag in {None, record.tag}
            and self.batch in {None, record.batch}
        )


@dataclass(frozen=True, slots=True)
class Participant:
    """The statuses of a group message for one participant; `code`: Meta's, where it failed."""

    address: str
    status: str
    history: tuple[tuple[str, int], ...]
    code: int | None = None


@dataclass(frozen=True, slots=True)
class Hold:
    """Why a send is held, by us or by Meta; times in ms since 1970, `until` where known."""

    reason: str
    since: int
    until: int | None


@dataclass(frozen=True, slots=True)
class Record:
    """A send as its caller may see it; times in ms since 1970. `history`: (status, time) by rank.

    `body`: Meta's message object as JSON text; `origin`: the message it answers, as "reference@ms when received".
    """

    id: str
    number: str
    conversation: str
    to: str
    type: str
    status: str
    wamid: str | None
    history: tuple[tuple[str, int], ...]
    error: Mapping[str, Any] | None
    pricing: Mapping[str, Any] | None
    opaque: str | None
    tag: str | None
    batch: str | None
    batch_index: int | None
    road: str
    expires: int
    instead_of: str | None
    replaced_by: str | None
    send_at: int | None = None
    body: str | None = None
    origin: str | None = None
    participants: tuple[Participant, ...] = ()
    held: Hold | None = None

    @property
    def waiting(self) -> bool:
        """Whether Meta's answer is still to come."""
        return self.status in WAITING


def read_record(record_id: str, data: Mapping[str, str]) -> Record:
    """A record's hash as a `Record`."""
    history = [(name[2:], int(float(value))) for name, value in data.items() if name.startswith("s:")]
    # By rank: Meta's times are whole seconds, so its `sent` may seem older than our `queued`. Those without rank last.
    history.sort(key=lambda entry: (RANKS.get(entry[0], len(RANKS)), entry[1]))
    return Record(
        id=record_id,
        number=data["n"],
        conversation=data["c"],
        to=data.get("to") or data["c"].partition(":")[2],
        type=data["type"],
        status=data["status"],
        wamid=data.get("wamid"),
        history=tuple(history),
        error=orjson.loads(data["error"]) if data.get("error") else None,
        pricing=orjson.loads(data["pricing"]) if data.get("pricing") else None,
        opaque=data.get("opaque"),
        tag=data.get("tag"),
        batch=data.get("batch"),
        batch_index=int(data["batch_index"]) if "batch_index" in data else None,
        road=data.get("road", "messages"),
        expires=int(float(data.get("expires", "0"))),
        instead_of=data.get("instead_of"),
        replaced_by=data.get("fallback_id") if "fell_back" in data else None,
        send_at=int(float(data["send_at"])) if "send_at" in data else None,
        body=data.get("body"),
        origin=data.get("origin") or None,
        participants=tuple(_participants(data.get("participants"))),
        held=_hold(data),
    )


def _hold(data: Mapping[str, str]) -> Hold | None:
    if "held" not in data or data["status"] not in _HELD:
        return None
    until = int(float(data["held_until"])) if "held_until" in data else None
    return Hold(data["held"], int(float(data["held_at"])), until)


def _participants(stored: str | None) -> Iterator[Participant]:
    for address, facts in sorted(orjson.loads(stored or "{}").items()):
        code = facts.pop("code", 0)
        facts.pop("costed", None)
        history = sorted(((word, int(at)) for word, at in facts.items()), key=lambda entry: RANKS.get(entry[0], 0))
        yield Participant(address, history[-1][0], tuple(history), int(code) or None)


def item_record(batch: str, index: int) -> str:
    """Return the id of an item's record; as in steps/shared/batch.lua."""
    return f"{batch}{index:08x}"


def _waiting_item(batch: str, index: int, item: bytes | None, status: str) -> Record | None:
    """An item without a record, because it waits in its batch or was canceled there, as a `Record`."""
    if item is None:
        return None
    facts = orjson.loads(item.partition(b"\n")[0])
    data = {"n": facts["n"], "c": f"{facts['n']}:{facts['to']}", "to": facts["to"], "type": facts["type"]}
    data |= {name: facts[name] for name in ("tag", "opaque") if name in facts}
    data |= {"status": status, "batch": batch, "batch_index": str(index)}
    data |= {"expires": str(facts.get("until_ms", 0))}
    return read_record(item_record(batch, index), data)


class Records:
    """Look up sends by our id or by Meta's. Raises `StoreUnavailableError`."""

    def __init__(self, store: Store) -> None:
        self._store = store

    def get(self, record_id: str) -> Record | None:
        """The record with our id."""
        data = fields(self._store.do("HGETALL", self._store.keys.record(record_id)))
        return read_record(record_id, data) if "status" in data else None

    def page(
        self, wanted: RecordFilter, after: str, count: int, *, most: int | None = None
    ) -> tuple[list[Record], str | None]:
        """Return at most `count` records, newest first, and the next cursor (None at the end).

        A page may have fewer, even none, and still a next cursor: it reads at most `most` records (default 5,000).
        """
        found: list[Record] = []
        places = self._places_in_batch(wanted.batch, after) if wanted.batch else self._places(after, wanted.since)
        for looked_at, (place, record) in enumerate(places, 1):
            if record is not None and wanted.accepts(record):
                found.append(record)
            if len(found) == count or looked_at == (most or MOST_LOOKED_AT):
                return found, "{}-{}".format(*place) if next(places, None) else None
        return found, None

    def _places(self, after: str, since: int) -> Iterator[tuple[tuple[int, str], Record | None]]:
        """Yield ((time, id), record) after a cursor, newest first; None for a record that is gone."""
        time, _, last = after.partition("-")
        passed = (int(time), last) if last else (1 << 62, "")
        offset = 0
        while True:
            window = ("WITHSCORES", "LIMIT", offset, STEP)
            flat = self._store.do("ZREVRANGEBYSCORE", self._store.keys.sends, min(passed[0], 1 << 52), since, *window)
            if not flat:
                return
            read = [(int(float(flat[i + 1])), flat[i].decode()) for i in range(0, len(flat), 2)]
            # Several records may have the cursor's time.
            behind = [place for place in read if place < passed]
            hashes = self._store.run([("HGETALL", self._store.keys.record(id_)) for _, id_ in behind])
            for place, raw in zip(behind, hashes, strict=True):
                data = fields(raw)
                yield place, read_record(place[1], data) if "status" in data else None
            offset += len(read)

    def _places_in_batch(self, batch: str, after: str) -> Iterator[tuple[tuple[int, str], Record | None]]:
        """Yield ((index, id), record) of a batch's items after a cursor, the last first; None for one that is gone."""
        keys = self._store.keys
        stored, state = self._store.do("HMGET", keys.of("batch", batch), "stored", "state")
        count, status = int(text(stored) or 0), "canceled" if state == b"canceled" else "scheduled"
        end = min(int(after.partition("-")[0]), count) if after else count
        while end > 0:
            indexes = range(end - 1, max(-1, end - 1 - STEP), -1)
            ids = [item_record(batch, index) for index in indexes]
            hashes = self._store.run([("HGETALL", keys.record(id_)) for id_ in ids])
            items = self._store.do("HMGET", keys.of("batch_items", batch), *indexes)
            for index, id_, raw, item in zip(indexes, ids, hashes, items, strict=True):
                data = fields(raw)
                yield (
                    (index, id_),
                    read_record(id_, data) if "status" in data else _waiting_item(batch, index, item, status),
                )
            end = indexes[-1]

    def make_room(self) -> int:
        """Delete the content of the oldest ended sends before its retention; return of how many. Statuses stay."""
        return int(self._store.call("shorten_records", most=MOST_SHORTENED))

    def find(self, name: str, numbers: tuple[str, ...]) -> Record | None:
        """The record with our id or, on one of `numbers`, with this wamid; also an item that waits in its batch."""
        record = self.get(name)
        if record is not None or not name.startswith("wamid."):
            return record or self._waiting(name)
        keys = self._store.keys
        for found in self._store.run([("GET", keys.wamid(mark(number, name))) for number in numbers]):
            if found:
                return self.get(found.decode())
        return None

    def _waiting(self, name: str) -> Record | None:
        """The item that waits in its batch under this id, which consists of batch and index."""
        found = _ITEM.fullmatch(name)
        if found is None:
            return None
        batch, index = found[1], int(found[2], 16)
        keys = self._store.keys
        commands: list[Command] = [
            ("HGET", keys.of("batch_items", batch), index),
            ("HGET", keys.of("batch", batch), "state"),
        ]
        item, state = self._store.run(commands)
        return _waiting_item(batch, index, item, "canceled" if state == b"canceled" else "scheduled")
