"""What customers sent and nobody has handled yet: admit · take · keep · finish · again · bury.

A conversation is one number of ours and one customer; its waiting events are its mailbox. See the scripts for
each step, and PROJECT_GUIDE.md for why there is no job per message.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import orjson

from wa_service.store import keys
from wa_service.store.client import Store, fields, text
from wa_service.store.flusher import Command
from wa_service.store.outbox import Send
from wa_service.store.size_limits import shallow, write
from wa_service.whatsapp.webhooks.events import Piece

FORM = 2
MAILBOX_CEILING = 500
UNSENT_CEILING = 20
LEASE_SECONDS = 15.0


@dataclass(frozen=True, slots=True)
class Work:
    """A conversation's head under a lease. `member` is the stored event, byte for byte."""

    conversation: str
    token: int
    takes: int
    fails: int
    member: bytes
    contact: Mapping[str, str]

    @property
    def stored(self) -> StoredEvent:
        """The event, read from whichever form it was stored in; raises UnreadableEventError."""
        return read_event(self.member)

    @property
    def number(self) -> str:
        """The number of ours that it was sent to."""
        return self.conversation.partition(":")[0]

    @property
    def letter(self) -> str:
        """The id of the dead letter that this would become: the message's digest, or that of what nobody can read."""
        try:
            return keys.mark(self.number, self.stored.piece.id).hex()
        except UnreadableEventError:
            return keys.mark(self.number, self.member.decode("utf-8", "replace")).hex()


@dataclass(frozen=True, slots=True)
class StoredEvent:
    """A received event as it waits: the piece of the webhook, and when we answered it (ms)."""

    piece: Piece
    received: int

    @property
    def reference(self) -> str:
        """The id that ties webhook, handling, send and status in the logs: a digest, for a wamid holds the number."""
        return reference(self.piece.phone_number_id, self.piece.id)


def reference(number: str, message_id: str) -> str:
    """A message's id for logs: 12 hex digits."""
    return keys.mark(number, message_id)[:6].hex()


def write_event(piece: Piece, received_ms: int) -> bytes:
    """A piece as it is stored (form 2)."""
    event = {
        "v": FORM,
        "k": piece.kind,
        "f": piece.field,
        "w": piece.waba_id,
        "n": piece.phone_number_id,
        "i": piece.id,
        "t": piece.timestamp,
        "a": piece.addresses,
        "p": piece.contact,
        "m": piece.raw,
        "x": piece.reason,
        "e": piece.entry_time,
        "r": received_ms,
    }
    try:
        return write(event)
    except TypeError:  # nested too deeply: what can be read of it is kept
        return orjson.dumps(event | {"p": None, "m": shallow(piece.raw)})


class UnreadableEventError(Exception):
    """A stored event that is in none of our forms; its text is a sentence without anything personal."""


class NewerFormError(UnreadableEventError):
    """A stored event of a later version: whoever stored it can read it, we cannot."""


def read_event(member: bytes) -> StoredEvent:
    """The event in a stored form: this one, or the one before it (1: the same under long names, without `reason`).

    Raises:
        NewerFormError: a later version of this program stored it.
        UnreadableEventError: nobody can read it.
    """
    try:
        data: dict[str, Any] = orjson.loads(member)
        form = data["v"]
        if isinstance(form, int) and form > FORM:
            raise NewerFormError(
                f"A later version stored it (form {form}, we read 1 to {FORM}): start workers of that version."
            )
        return _read(data)
    except (ValueError, TypeError, LookupError) as error:
        raise UnreadableEventError(f"It is in no form we know ({type(error).__name__}).") from None


def _read(data: dict[str, Any]) -> StoredEvent:
    if data["v"] == 1:
        names = zip(("k", "f", "w", "n", "i", "t", "a", "p", "m", "e", "r"), _FORM_1, strict=True)
        data = {"x": ""} | {short: data[long] for short, long in names}
    piece = Piece(
        kind=data["k"],
        field=data["f"],
        waba_id=data["w"],
        phone_number_id=data["n"],
        id=data["i"],
        timestamp=data["t"],
        addresses=tuple(data["a"]),
        contact=data["p"],
        raw=data["m"],
        reason=data["x"],
        entry_time=data["e"],
    )
    return StoredEvent(piece=piece, received=data["r"])


_FORM_1 = (
    "kind",
    "field",
    "waba_id",
    "phone_number_id",
    "id",
    "timestamp",
    "addresses",
    "contact",
    "raw",
    "entry_time",
    "received",
)


class Inbox:
    """The mailboxes. `keep_seconds`: how long what is personal stays after it was last needed.

    Methods that return a `Command` are for `Store.run`, many in one round trip; the others run at once and raise
    `StoreAwayError`.
    """

    def __init__(self, store: Store, *, keep_seconds: int, lease_seconds: float = LEASE_SECONDS) -> None:
        self._store = store
        self._keep = keep_seconds
        self._lease_ms = int(lease_seconds * 1000)

    def admit(self, piece: Piece, received_ms: int) -> Command:
        """Puts a message into its conversation's mailbox, once. Result: b"new", b"duplicate" or b"flood"."""
        profile = (piece.contact or {}).get("profile")
        # A group has no name of its own here, least of all that of whoever wrote last.
        name = profile.get("name") if isinstance(profile, dict) and not piece.raw.get("group_id") else None
        return self._store.step(
            "admit",
            write_event(piece, received_ms),
            keys.mark(piece.phone_number_id, piece.id),
            piece.phone_number_id,
            piece.timestamp,
            name[:256] if isinstance(name, str) else "",
            MAILBOX_CEILING,
            self._keep,
            keys.SEEN_SECONDS,
            *piece.addresses,
        )

    def take(self, puller: str, counter: int, count: int) -> tuple[float, list[Work]]:
        """Up to `count` conversations whose turn it is, under a lease.

        Returns seconds until asking again is worth it (infinity: until the bell), and the work. Asked again by the
        same puller with the same counter it gives the same work, so a lost answer strands nothing.
        """
        wait, *items = self._store.call("take", puller, counter, self._lease_ms, count, UNSENT_CEILING)
        work = [
            Work(text(c), int(token), int(takes), int(fails), bytes(member), fields(contact))
            for c, token, takes, fails, member, contact in items
        ]
        return (float("inf") if wait < 0 else wait / 1000), work

    def keep(self, works: Sequence[Work]) -> list[bool]:
        """Renews leases; False where another has the conversation by now."""
        commands = [self._store.step("keep", work.conversation, work.token, self._lease_ms) for work in works]
        return [result == 1 for result in self._store.run(commands)]

    def finish(self, work: Work, puller: str, replies: Sequence[Send], *, heard: str = "", stamp: str = "") -> bool:
        """Replies into the outbox and the event off the mailbox, in one step; False when another did it.

        `heard` is a JSON object for the events stream (a transcript), `stamp` a field of the contact to set to now.
        """
        done = self._store.call(
            "finish",
            work.conversation,
            work.token,
            work.member,
            puller,
            self._keep,
            heard,
            stamp,
            *(reply.spec() for reply in replies),
        )
        return bool(done == 1)

    def again(self, work: Work, puller: str, delay: float, *, counts: bool) -> int:
        """Hands the conversation back, due after `delay` s; `counts` as a failure, or as nothing.

        Returns its failures so far, -1 when the lease is another's.
        """
        ms = int(delay * 1000)
        return int(
            self._store.call("again", work.conversation, work.token, ms, puller, "fail" if counts else "nothing")
        )

    def bury(self, work: Work, puller: str, kind: str, reason: str) -> bool:
        """Makes the event a dead letter, so that the conversation's next message goes on."""
        done = self._store.call(
            "bury",
            work.conversation,
            work.token,
            work.member,
            puller,
            self._keep,
            work.letter,
            kind,
            reason,
            work.number,
        )
        return bool(done == 1)

    def alive(self, puller: str) -> None:
        """Says that a worker process works; to be said about once a second."""
        self._store.call("alive", puller)

    def give_back(self, puller: str, *, died: bool) -> int:
        """What a puller held is due, after its end; returns how much that was.

        At once, but for a message whose takes ended in three deaths or more.
        """
        return int(self._store.call("giveback", puller, "died" if died else "stopped"))

    def wait_for_work(self, seconds: float) -> None:
        """Waits for the bell, at most `seconds` and at most 1 s."""
        self._store.wait_for(keys.BELL, seconds)
