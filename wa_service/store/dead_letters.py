"""What could not be handled: the event, why, how often it was tried, when; looked at, replayed or dropped."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from wa_service.store import keys
from wa_service.store.client import Store, fields, text
from wa_service.store.flusher import Command
from wa_service.store.inbox import MAILBOX_CEILING, write_event
from wa_service.whatsapp.webhooks.events import Piece

Replayed = Literal["back", "unknown", "nobody", "full"]


@dataclass(frozen=True, slots=True)
class DeadLetter:
    """An event nobody will handle unless it is replayed. Kinds: failed, crashed, flood, malformed; time in ms."""

    id: str
    kind: str
    reason: str
    tries: int
    time: int
    number: str
    conversation: str
    event: bytes


class DeadLetters:
    """The dead letters, oldest first. Raises `StoreAwayError`."""

    def __init__(self, store: Store, *, keep_seconds: int) -> None:
        self._store = store
        self._keep = keep_seconds

    def add(self, piece: Piece, received_ms: int) -> Command:
        """Keeps a piece that could not be read. Result: b"dead" or b"duplicate"."""
        # Without an id it is known by what it says, whenever that came: Meta may deliver it again.
        letter = keys.mark(piece.phone_number_id, piece.id or write_event(piece, 0).decode()).hex()
        event = write_event(piece, received_ms)
        return self._store.step(
            "deadletter", letter, "malformed", piece.reason, piece.phone_number_id, event, self._keep
        )

    def page(self, after: str = "", count: int = 100) -> tuple[list[DeadLetter], str | None]:
        """At most `count` letters after a cursor, and the next cursor (None at the end).

        A cursor is a place (time and id), so nothing is skipped when letters before it are replayed or dropped.
        """
        places = self._places(after, count + 1)
        letters = [letter for _, id_ in places[:count] if (letter := self.get(id_))]
        return letters, "{}-{}".format(*places[count - 1]) if len(places) > count else None

    def _places(self, after: str, count: int) -> list[tuple[int, str]]:
        """The first `count` letters behind a cursor: (time, id)."""
        time, _, last = after.partition("-")
        passed = (int(time), last) if last else (0, "")
        places: list[tuple[int, str]] = []
        offset = 0
        while len(places) < count:
            window = ("WITHSCORES", "LIMIT", offset, count)
            flat = self._store.do("ZRANGEBYSCORE", keys.DEAD, passed[0], "+inf", *window)
            if not flat:
                break
            found = [(int(float(flat[i + 1])), text(flat[i])) for i in range(0, len(flat), 2)]
            # Many may be of one moment, the cursor's own among them.
            places += [place for place in found if place > passed]
            offset += len(found)
        return places[:count]

    def ids(self) -> list[str]:
        """All letters' ids, oldest first."""
        return [text(id_) for id_ in self._store.do("ZRANGE", keys.DEAD, 0, -1)]

    def get(self, letter_id: str) -> DeadLetter | None:
        """One letter."""
        data = fields(self._store.do("HGETALL", keys.dead_letter(letter_id)))
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

    def replay(self, letter_id: str, addresses: Sequence[str]) -> Replayed:
        """Puts a letter behind what waits in the mailbox of its customer, whom `addresses` name.

        "full": so much waits there that it stays a letter for now; "nobody": it belongs to no conversation.
        """
        word: Replayed = text(self._store.call("replay", letter_id, self._keep, MAILBOX_CEILING, *addresses))  # type: ignore[assignment]  # one of the script's four words
        return word

    def drop(self, letter_id: str) -> bool:
        """Throws a letter away; returns whether there was one."""
        gone = self._store.run([("ZREM", keys.DEAD, letter_id), ("DEL", keys.dead_letter(letter_id))])
        return bool(gone[1])
