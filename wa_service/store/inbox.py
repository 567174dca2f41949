"""The mailboxes of received events: admit, take, renew the lease, finish, retry later, dead-letter.

A conversation is one of our numbers and one customer; its waiting events are its mailbox. The scripts document each
step; docs/lanes.md says why there is no job per message.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass
from enum import IntEnum
from types import MappingProxyType
from typing import Literal

import orjson

from wa_service.store.client import Store, fields, text
from wa_service.store.flusher import Command
from wa_service.store.keys import SEEN_SECONDS, mark
from wa_service.store.outbox import Send
from wa_service.store.stored_event import (
    StoredEvent,
    UnreadableEventError,
    changed_message,
    is_unavailable,
    read_event,
    who_wrote,
    write_event,
)
from wa_service.whatsapp.stop_words import StopWords
from wa_service.whatsapp.webhooks.events import Piece
from wa_service.whatsapp.webhooks.identity import Identity
from wa_service.whatsapp.webhooks.thread_events import identity_in_thread, owner_after

MAILBOX_CEILING = 500
UNSENT_CEILING = 20
# Not written by the customer, so they open no service window (reference 7.5).
NOT_WRITTEN = frozenset({"system", "edit", "revoke"})
LEASE_SECONDS = 15.0
_NO_STAMPS: Mapping[str, int] = MappingProxyType({})
_NO_WORDS = StopWords()


class Finished(IntEnum):
    """Result of `finish`: the lease was lost; done; or done without replies because of the reply limit, or because
    automatic replies are paused.
    """

    LOST = 0
    DONE = 1
    OVER_REPLY_LIMIT = 2
    PAUSED = 3


@dataclass(frozen=True, slots=True)
class Pause:
    """A pause of automatic replies: seconds from now, why, and a note ("" none). A longer pause stays."""

    seconds: float
    reason: Literal["handover", "responder"]
    note: str = ""


@dataclass(frozen=True, slots=True)
class ReplyLimit:
    """At most `count` automatic replies to one customer in `seconds`; 0: no limit."""

    count: int = 0
    seconds: int = 600


@dataclass(frozen=True, slots=True)
class Work:
    """A conversation's head under a lease, and the rest of its burst (`behind`): stored events, byte for byte."""

    conversation: str
    token: int
    deliveries: int
    failures: int
    member: bytes
    contact: Mapping[str, str]
    behind: tuple[bytes, ...] = ()

    @property
    def stored(self) -> StoredEvent:
        """The event, read from any stored form; raises UnreadableEventError."""
        return read_event(self.member)

    @property
    def number(self) -> str:
        """Our number that it was sent to."""
        return self.conversation.partition(":")[0]

    @property
    def dead_letter_id(self) -> str:
        """The id of this event as a dead letter: the digest of the message id, or of an event that cannot be read."""
        try:
            return mark(self.number, self.stored.piece.id).hex()
        except UnreadableEventError:
            return mark(self.number, self.member.decode("utf-8", "replace")).hex()


class Inbox:
    """The mailboxes. `retention_seconds`: how long personal data stays after it was last needed.

    `answer_max_age`: seconds after which a message is stored, but not answered (0: 8 days);
    `staff_pause`: seconds for which automatic replies pause after a person of the business wrote (0: no pause);
    `debounce`: seconds that a burst waits for more messages, `debounce_most` from its first one (0: not at all);
    `stop_words`: a message with one of them is handled alone;
    `reply_limit`: beyond it, automatic replies are dropped and paused for half an hour.

    Methods that return a `Command` are for `Store.run`, many in one round trip; the others run at once and raise
    `StoreUnavailableError`.
    """

    def __init__(
        self,
        store: Store,
        *,
        retention_seconds: int,
        lease_seconds: float = LEASE_SECONDS,
        answer_max_age: float = 0.0,
        staff_pause: float = 0.0,
        debounce: float = 0.0,
        debounce_most: float = 15.0,
        stop_words: StopWords = _NO_WORDS,
        reply_limit: ReplyLimit = ReplyLimit(),
    ) -> None:
        self._store = store
        self._retention = retention_seconds
        self._lease_ms = int(lease_seconds * 1000)
        self._staff_pause_ms = int(staff_pause * 1000)
        self._debounce_ms = int(debounce * 1000)
        self._debounce_most_ms = int(debounce_most * 1000)
        self._stop_words = stop_words
        self._reply_limit = reply_limit
        # Older messages may have been handled before: their marks have expired.
        self._answer_max_age = min(answer_max_age or SEEN_SECONDS, SEEN_SECONDS)

    def admit(self, piece: Piece, received_ms: int) -> Command:
        """Add a message to its conversation's mailbox, once. Result: b"new", b"duplicate" or b"flood"."""
        stale = self.is_stale(piece, received_ms)
        original, edited = changed_message(piece)
        debounced = self._debounce_ms > 0 and self._stop_words.meaning_of(piece.raw) is None
        return self._store.step(
            "admit",
            number=piece.phone_number_id,
            event=write_event(piece, received_ms, stale=stale, debounced=debounced),
            mark=mark(piece.phone_number_id, piece.id),
            who=who_wrote(piece),
            timestamp=piece.timestamp,
            name=_name(piece),
            is_written=int(piece.raw.get("type") not in NOT_WRITTEN),
            handling="none" if stale else "unavailable" if is_unavailable(piece) else "answer",
            ceiling=MAILBOX_CEILING,
            retention=self._retention,
            mark_seconds=SEEN_SECONDS,
            original=orjson.dumps(original) if original else "",
            original_mark=mark(piece.phone_number_id, original) if original else "",
            edited=write_event(edited, received_ms, debounced=debounced) if edited else "",
            debounce_ms=self._debounce_ms,
            debounce_most_ms=self._debounce_most_ms,
        )

    def tell_thread_event(self, piece: Piece, received_ms: int) -> Command:
        """Store an echo, standby or handover event. Result: b"kept", b"duplicate" or b"ours".

        If the same message is delivered to us later, it is not a duplicate.
        """
        number, kind, raw = piece.phone_number_id, piece.kind, piece.raw
        identity = identity_in_thread(kind, raw, piece.contact)
        return self._store.step(
            "thread_event",
            number=number,
            who=orjson.dumps(identity.as_argument(piece.timestamp)),
            kind=kind,
            event=write_event(piece, received_ms),
            mark=mark(number, f"{kind} {piece.id or orjson.dumps(raw)!r}"),
            wamid_mark=mark(number, piece.id).hex() if kind == "echo" and piece.id else "",
            pause_ms=self._staff_pause_ms if kind == "echo" else 0,
            owner=owner_after(kind, raw),
            at=piece.timestamp,
            name=_name(piece),
            retention=self._retention,
            mark_seconds=SEEN_SECONDS,
        )

    def is_stale(self, piece: Piece, at_ms: int) -> bool:
        """Whether a message is too old, by Meta's time, to be answered now."""
        return 0 < piece.timestamp < at_ms / 1000 - self._answer_max_age

    def link(
        self,
        number: str,
        identity: Identity,
        at: int,
        *,
        only_known: bool = True,
        moves: bool = True,
        event_mark: bytes = b"",
    ) -> Command:
        """Link addresses of one person, which Meta names outside any message. Result: 1, or 0 where nothing was done.

        `at`: Meta's time (s, 0 unknown). `only_known`: create no contact. `moves`: whether a number moves here from a
        contact with other user ids. `event_mark`: the mark of Meta's event, which links only once (empty: each time).
        """
        who = orjson.dumps(identity.as_argument(at) | {"only_known": only_known})
        return self._store.step(
            "link",
            number=number,
            who=who,
            moves=int(moves),
            mark=event_mark,
            retention=self._retention,
            mark_seconds=SEEN_SECONDS,
        )

    def open_window(self, number: str, identity: Identity, at: int, event_id: str) -> Command:
        """Open the service window of a customer who called at Meta's time `at` (s, 0 unknown), once for each event.

        Result: 1, or 0 if nothing was done.
        """
        return self._store.step(
            "open_window",
            number=number,
            who=orjson.dumps(identity.as_argument(at)),
            at=at,
            mark=mark(number, f"call {event_id}"),
            retention=self._retention,
            mark_seconds=SEEN_SECONDS,
        )

    def take(
        self, consumer: str, counter: int, count: int, *, on_burst: Callable[[str, str], None] | None = None
    ) -> tuple[float, list[Work]]:
        """Take up to `count` conversations that are due, under a lease.

        Return seconds until the next call (infinity: until woken), and the work. A repeated call of a consumer with the
        same counter returns the same work, so a lost answer loses nothing. `on_burst` is called once for each burst
        that waits for more, with number and message id of its first message.
        """
        wait, begun, *items = self._store.call(
            "take",
            consumer=consumer,
            counter=counter,
            lease_ms=self._lease_ms,
            count=count,
            unsent_ceiling=UNSENT_CEILING,
            retention=self._retention,
            shows_typing=int(self._debounce_ms > 0 and on_burst is not None),
        )
        if on_burst is not None:
            for began in begun[1::2]:
                number, _, message_id = text(began).partition(" ")
                on_burst(number, message_id)
        work = [
            Work(text(c), int(token), int(deliveries), int(failures), bytes(member), fields(contact), tuple(behind))
            for c, token, deliveries, failures, member, contact, behind in items
        ]
        return (float("inf") if wait < 0 else wait / 1000), work

    def renew_leases(self, works: Sequence[Work]) -> list[bool]:
        """Renew leases; False where a lease was lost."""
        commands = [
            self._store.step("renew_lease", conversation=work.conversation, token=work.token, lease_ms=self._lease_ms)
            for work in works
        ]
        return [result == 1 for result in self._store.run(commands)]

    def finish(
        self,
        work: Work,
        consumer: str,
        replies: Sequence[Send],
        *,
        transcript: str = "",
        stamps: Mapping[str, int] = _NO_STAMPS,
        behind: Sequence[bytes] = (),
        note: str = "",
        pause: Pause | None = None,
    ) -> Finished:
        """Queue the replies and remove the event from the mailbox, in one step.

        `transcript` is a JSON object for the events stream, `note` one for the thread; `stamps`: contact field → ms
        from now; `behind`: the events of the burst that were handled with it.
        """
        done = self._store.call(
            "finish",
            conversation=work.conversation,
            token=work.token,
            event=work.member,
            consumer=consumer,
            retention=self._retention,
            transcript=transcript,
            stamps=orjson.dumps(dict(stamps)),
            behind=orjson.dumps([event.decode() for event in behind]),
            note=note,
            pause_ms=int(pause.seconds * 1000) if pause else 0,
            pause_reason=pause.reason if pause else "",
            pause_note=pause.note if pause else "",
            reply_limit=self._reply_limit.count,
            reply_window_ms=self._reply_limit.seconds * 1000,
            replies=[reply.spec() for reply in replies],
        )
        return Finished(done)

    def retry_later(self, work: Work, consumer: str, delay: float, *, is_failure: bool, note: str = "") -> int:
        """Release the conversation until `delay` s from now; if this is no failure, the delivery is not counted.

        Return its failures so far, -1 when the lease was lost.
        """
        failures = self._store.call(
            "retry_later",
            conversation=work.conversation,
            token=work.token,
            delay_ms=int(delay * 1000),
            consumer=consumer,
            is_failure=int(is_failure),
            retention=self._retention,
            note=note,
        )
        return int(failures)

    def dead_letter(
        self,
        work: Work,
        consumer: str,
        kind: str,
        reason: str,
        *,
        replies: Sequence[Send] = (),
        stamps: Mapping[str, int] = _NO_STAMPS,
        note: str = "",
    ) -> bool:
        """Turn the event into a dead letter, so that the conversation's next message is handled.

        `replies`, `stamps` and `note` as in `finish`; False when the lease was lost.
        """
        done = self._store.call(
            "dead_letter",
            conversation=work.conversation,
            token=work.token,
            event=work.member,
            consumer=consumer,
            retention=self._retention,
            letter_id=work.dead_letter_id,
            kind=kind,
            reason=reason,
            number=work.number,
            stamps=orjson.dumps(dict(stamps)),
            note=note,
            replies=[reply.spec() for reply in replies],
        )
        return bool(done == 1)

    def heartbeat(self, consumer: str) -> None:
        """Note that a worker process is alive; called about once a second."""
        self._store.call("heartbeat", consumer=consumer)

    def release_consumer(self, consumer: str, *, died: bool, begun: Collection[str] | None = None) -> int:
        """Release the leases and claims of a consumer that ended; return how many there were.

        They are due at once, except messages whose deliveries ended in three or more deaths. `begun`: "<record
        id>:<token>" of sends that may have left (None: any may have); the others are sent again.
        """
        released = self._store.call(
            "release_consumer",
            consumer=consumer,
            died=int(died),
            begun_is_known=int(begun is not None),
            begun=tuple(begun or ()),
        )
        return int(released)

    def wait_for_work(self, seconds: float) -> None:
        """Wait until a conversation may be due, at most `seconds` and at most 1 s."""
        self._store.wait_for(self._store.keys.wake, seconds)


def _name(piece: Piece) -> str:
    """Return the customer's profile name, "" if it is unknown.

    In a group the profile is the sender's, not the group's.
    """
    profile = (piece.contact or {}).get("profile")
    name = profile.get("name") if isinstance(profile, dict) and not piece.raw.get("group_id") else None
    return name[:256] if isinstance(name, str) else ""
