"""Dead letters: events that could not be handled, with reason, tries and time; list, replay, drop."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import orjson

from wa_service.store.client import Store, fields, text
from wa_service.store.flusher import Command
from wa_service.store.inbox import MAILBOX_CEILING
from wa_service.store.keys import mark
from wa_service.store.stored_event import reference, who_wrote, write_event
from wa_service.whatsapp.webhooks.events import Piece

ReplayResult = Literal["queued", "unknown", "no_conversation", "full"]


@dataclass(frozen=True, slots=True)
class DeadLetter:
    """An event that is not handled unless it is replayed. Kinds: failed, crashed, flood, malformed; time in ms."""

    id: str
    kind: str
    reason: str
    tries: int
    time: int
    number: str
    conversation: str
    event: bytes


class DeadLetters:
    """The dead letters, oldest first. Raises `StoreUnavailableError`."""

    def __init__(self, store: Store, *, retention_seconds: int) -> None:
        self._store = store
        self._retention = retention_seconds

    def add(self, piece: Piece, received_ms: int) -> Command:
        """Store a piece that could not be read. Result: b"dead" or b"duplicate"."""
        # Without a message id, the content identifies it, without the time: Meta may deliver it again.
        letter = mark(piece.phone_number_id, piece.id or write_event(piece, 0).decode()).hex()
        event = write_event(piece, received_ms)
        return self._store.step(
            "dead_letter_unread",
            letter_id=letter,
            reason=piece.reason,
            number=piece.phone_number_id,
            event=event,
            retention=self._retention,
        )

    def page(self, after: str = "", count: int = 100) -> tuple[list[DeadLetter], str | None]:
        """At most `count` letters after a cursor, and the next cursor (None at the end).

        A cursor is a time and an id, so no letter is skipped when others are replayed or dropped.
        """
        places = self._places(after, count + 1)
        letters = [letter for _, id_ in places[:count] if (letter := self.get(id_))]
        return letters, "{}-{}".format(*places[count - 1]) if len(places) > count else None

    def _places(self, after: str, count: int) -> list[tuple[int, str]]:
        """The first `count` letters after a cursor: (time, id)."""
        time, _, last = after.partition("-")
        passed = (int(time), last) if last else (0, "")
        places: list[tuple[int, str]] = []
        offset = 0
        while len(places) < count:
            window = ("WITHSCORES", "LIMIT", offset, count)
            flat = self._store.do("ZRANGEBYSCORE", self._store.keys.dead, passed[0], "+inf", *window)
            if not flat:
                break
            found = [(int(float(flat[i + 1])), text(flat[i])) for i in range(0, len(flat), 2)]
            # Several letters may have the cursor's time.
            places += [place for place in found if place > passed]
            offset += len(found)
        return places[:count]

    def ids(self) -> list[str]:
        """All letters' ids, oldest first."""
        return [text(id_) for id_ in self._store.do("ZRANGE", self._store.keys.dead, 0, -1)]

    def get(self, letter_id: str) -> DeadLetter | None:
        data = fields(self._store.do("HGETALL", self._store.keys.dead_letter(letter_id)))
        if "event" not in data:
            return None
        return DeadLetter(
            id=letter_id,
            kind=data["kind"],
            reason=data["reason"],
            tries=int(data["tries"]),
            time=int(float(data["time"])),
            number=data["n"],
            conversation=data["c"],
            event=data["event"].encode(),
        )

    def replay(self, letter_id: str, piece: Piece) -> ReplayResult:
        """Append a letter, from which `piece` was read, to its customer's mailbox.

        "full": the mailbox is full and the letter stays; "no_conversation": it belongs to no conversation.
        """
        result = self._store.call_replicated(
            "replay",
            letter_id=letter_id,
            retention=self._retention,
            ceiling=MAILBOX_CEILING,
            who=who_wrote(piece),
            note=orjson.dumps({"m": reference(piece.phone_number_id, piece.id), "replayed": True}).decode(),
        )
        return text(result)  # type: ignore[return-value]  # one of the step's four words

    def drop(self, letter_id: str) -> bool:
        """Delete a letter; return whether there was one."""
        gone = self._store.run(
            [("ZREM", self._store.keys.dead, letter_id), ("DEL", self._store.keys.dead_letter(letter_id))]
        )
        return bool(gone[1])
