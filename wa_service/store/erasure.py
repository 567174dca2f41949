"""Erase one person: who they are, and every family of keys that may hold a word of them, walked in small steps.

The families are those that `keys.FAMILIES` calls personal.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from typing import Final

import orjson

from wa_service.store.client import Store, text
from wa_service.store.flusher import Command
from wa_service.store.inbox import reference
from wa_service.store.keys import families, mark
from wa_service.store.person_matcher import PersonMatcher

_PAGE: Final = 1_000
_OF_A_CONVERSATION: Final = families("conversation")
_OF_AN_ADDRESS: Final = families("address")
_GLOB: Final = str.maketrans({special: f"\\{special}" for special in "\\*?[]^"})

Progress = Callable[[int], None]


def no_progress(_: int) -> None:
    """Ignore how far a walk came."""


class Walk:
    """Goes through all keys of the tag in small steps; `progress` is called with how many were looked at so far."""

    def __init__(self, store: Store, progress: Progress) -> None:
        self._store = store
        self._progress = progress
        self._seen = 0

    def pages(self, pattern: str) -> Iterator[list[bytes]]:
        """Yield the keys that match after the prefix, page by page."""
        cursor = 0
        match = self._store.keys.prefix.translate(_GLOB) + pattern
        while True:
            found, page = self._store.do("SCAN", cursor, "MATCH", match, "COUNT", _PAGE)
            self.advance(_PAGE)
            if page:
                yield page
            cursor = int(found)
            if cursor == 0:
                return

    def keys(self, *patterns: str) -> list[bytes]:
        """Return all keys that match one of the patterns; for few."""
        return [key for pattern in patterns for page in self.pages(pattern) for key in page]

    def advance(self, entries: int) -> None:
        """Count what was looked at."""
        self._seen += entries
        self._progress(self._seen)


class Person:
    """All addresses and conversations that belong together, on any number: one that is no longer ours, too.

    Whatever of address, alias and contact is still there leads to the others; each may have ended before them.
    """

    def __init__(self, store: Store, walk: Walk, numbers: Iterable[str], address: str) -> None:
        self._store = store
        self._walk = walk
        self._found: set[str] = set()
        self._numbers = set(numbers)
        self.addresses: set[str] = set()
        fresh = {address}
        while fresh:
            for one in fresh:
                self._look_for(one)
            self.addresses |= fresh
            named = self._named_by_contacts()
            fresh = (named | {c.partition(":")[2] for c in self._found}) - self.addresses

    @property
    def is_known(self) -> bool:
        """Whether anything stands under one of the addresses."""
        return bool(self._found)

    @property
    def conversations(self) -> list[str]:
        """Every conversation that is theirs, or would be."""
        return sorted(self._found | {f"{number}:{address}" for number in self._numbers for address in self.addresses})

    def has(self, c: str) -> bool:
        """Whether a conversation is theirs."""
        return c in self._found or c.partition(":")[2] in self.addresses

    def add(self, c: str) -> None:
        """Add a conversation of theirs."""
        self._found.add(c)
        self._numbers.add(c.partition(":")[0])

    def _look_for(self, address: str) -> None:
        """What is kept under this address: an alias, or what belongs to a conversation of this id."""
        for page in self._walk.pages(f"*:{address.translate(_GLOB)}"):
            for key in page:
                family, c = self._store.keys.part_of(key)
                if c.partition(":")[2] == address and family in (*_OF_AN_ADDRESS, *_OF_A_CONVERSATION):
                    self.add(c)
                    if family in _OF_AN_ADDRESS and (theirs := text(self._store.do("GET", key))):
                        self.add(theirs)

    def _named_by_contacts(self) -> set[str]:
        """The addresses of their contacts: of their conversations, and of any that names one of their addresses."""
        named: set[str] = set()
        for page in self._walk.pages("contact:*"):
            for key, found in zip(page, self._store.run([("HGET", key, "addresses") for key in page]), strict=True):
                c, addresses = self._store.keys.part_of(key)[1], set(text(found).split())
                if self.has(c) or addresses & self.addresses:
                    self.add(c)
                    named |= addresses
        return named


class Eraser:
    """Erases a person by walking every family that may hold a word of them: rare, complete, unhurried."""

    def __init__(self, store: Store, walk: Walk, person: Person) -> None:
        self._store = store
        self._keys = store.keys
        self._walk = walk
        self._person = person
        self._matcher = PersonMatcher(person.addresses)
        # What they wrote to a group has answers and transcripts that do not name them.
        self._messages: set[str] = set()
        self._references: set[str] = set()
        self._erased = 0

    def run(self) -> int:
        """Erase; return how many keys and entries."""
        for erase, _ in self.STEPS:
            erase(self)
        return self._erased

    def _do(self, commands: list[Command]) -> None:
        for result in self._store.run(commands):
            self._erased += result if isinstance(result, int) else 0

    def _conversations(self) -> None:
        """First of all: whoever works on one has lost it, and writes nothing more."""
        addresses = sorted(self._person.addresses)
        self._do([("ZREM", key, *addresses) for key in self._walk.keys("quota:*")])
        work = self._walk.keys("held:*", "last_take:*")
        for c in self._person.conversations:
            number = c.partition(":")[0]
            personal = [self._keys.of(family, c) for family in _OF_A_CONVERSATION]
            personal += [self._keys.of(family, number, address) for family in _OF_AN_ADDRESS for address in addresses]
            commands: list[Command] = [("DEL", *personal), ("ZREM", self._keys.due, c)]
            commands += [("ZREM", self._keys.out(number, priority), c) for priority in (0, 1)]
            commands += [("HDEL", key, c) for key in work]
            self._do(commands)

    def _pushes(self) -> None:
        """Erase what waits to be pushed to subscribers."""
        for due in self._walk.keys("push_due:*"):
            subscription = self._keys.part_of(due)[1]
            for c in self._person.conversations:
                push = [self._keys.of(family, subscription, c) for family in ("push_lane", "push_head")]
                self._do([("DEL", *push), ("ZREM", due, c)])

    def _records(self) -> None:
        for page in self._walk.pages("record:*"):
            rows = self._store.run([("HMGET", key, "c", "wamid", "idempotency", "n") for key in page])
            for key, (c, wamid, idempotency, number) in zip(page, rows, strict=True):
                if not self._person.has(text(c)):
                    continue
                record_id = self._keys.part_of(key)[1]
                gone = [key, *([idempotency] if idempotency else [])]
                if wamid:
                    gone.append(self._keys.wamid(mark(text(number), text(wamid))).encode())
                claims: list[Command] = [("ZREM", of, record_id) for of in (self._keys.busy, self._keys.unknown)]
                self._do([("DEL", *gone), *claims])

    def _replies(self) -> None:
        """Erase what waits to be sent to a group as the answer to something they wrote, and may repeat it."""
        if not self._references:
            return
        for page in self._walk.pages("record:*"):
            origins = self._store.run([("HGET", key, "origin") for key in page])
            for key, origin in zip(page, origins, strict=True):
                if text(origin).partition("@")[0] in self._references:
                    self._do([self._store.step("erase_reply", id=self._keys.part_of(key)[1])])

    def _mailboxes(self) -> None:
        """Erase what they wrote to groups and nobody has handled yet; what others wrote stays, whomever it names."""
        for page in self._walk.pages("mailbox:*"):
            mailboxes = self._store.run([("ZRANGE", key, 0, -1) for key in page])
            for key, events in zip(page, mailboxes, strict=True):
                c = self._keys.part_of(key)[1]
                if self._person.has(c):
                    continue  # who writes meanwhile begins anew
                theirs = [event for event in events if self._matcher.is_sender_of(event)]
                self._do([self._store.step("erase_event", conversation=c, event=event) for event in theirs])

    def _dead_letters(self) -> None:
        for page in self._walk.pages("dead_letter:*"):
            rows = self._store.run([("HMGET", key, "c", "event") for key in page])
            for key, (c, event) in zip(page, rows, strict=True):
                theirs = self._person.has(text(c)) or self._matcher.is_sender_of(event or b"{}")
                if theirs or self._matcher.mentioned_in(event or b""):
                    self._do([("DEL", key), ("ZREM", self._keys.dead, self._keys.part_of(key)[1])])

    def _lists(self) -> None:
        for key in (self._keys.foreign, self._keys.stray, self._keys.management):
            for entry in self._store.do("LRANGE", key, 0, -1):
                if self._matcher.mentioned_in(entry):
                    self._do([("LREM", key, 0, entry)])

    def _stream(self) -> None:
        after: str | bytes = "-"
        while entries := self._store.do("XRANGE", self._keys.events, after, "+", "COUNT", _PAGE):
            gone = []
            for entry_id, flat in entries:
                entry = dict(zip(flat[::2], flat[1::2], strict=True))
                if self._is_theirs(text(entry.get(b"k")), text(entry.get(b"c")), entry.get(b"d", b"")):
                    gone.append(entry_id)
            if gone:
                self._do([("XDEL", self._keys.events, *gone)])
            self._walk.advance(len(entries))
            after = b"(" + entries[-1][0]

    def _is_theirs(self, kind: str, c: str, data: bytes) -> bool:
        """Whether an entry of the stream is theirs, names them, or is the transcript of what they said to a group."""
        if self._person.has(c):
            return True
        if kind == "transcript":
            return self._matcher.mentioned_in(data) or orjson.loads(data).get("message_id") in self._messages
        if kind == "message" and self._matcher.is_sender_of(data):
            event = orjson.loads(data)
            number, message_id = event.get("n", event.get("phone_number_id")), event.get("i", event.get("id"))
            self._messages.add(message_id)
            self._references.add(reference(number, message_id))
            return True
        return self._matcher.mentioned_in(data)

    STEPS: Final = (
        (_conversations, ("due", "out", "quota", "held", "last_take")),
        (_pushes, ("push_due", "push_lane", "push_head")),
        (_records, ("record", "wamid", "idempotency", "busy", "unknown")),
        (_stream, ("events",)),
        (_replies, ()),
        (_mailboxes, ()),
        (_dead_letters, ("dead", "dead_letter")),
        (_lists, ("foreign", "stray", "management")),
    )
    """The steps in their order, each with the families it walks: together all that hold what tells of a person."""
