"""How one person is forgotten: who they are, and every place that may hold a word of them, walked in small steps."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from typing import Final

import orjson

from wa_service.store import keys
from wa_service.store.client import Store, text
from wa_service.store.flusher import Command
from wa_service.store.inbox import reference
from wa_service.store.person_matcher import Mentions

_PAGE: Final = 1_000
_OF_A_CONVERSATION: Final = ("contact", "box", "lane", "q", "pair")
_GLOB: Final = str.maketrans({special: f"\\{special}" for special in "\\*?[]^"})

Walked = Callable[[int], None]


def nobody_looks(_: int) -> None:
    """What is told how far a walk came where nobody wants to know."""


class Walk:
    """Goes through all keys in small steps; tells `walked` about how many were looked at so far."""

    def __init__(self, store: Store, walked: Walked) -> None:
        self._store = store
        self._walked = walked
        self._seen = 0

    def pages(self, pattern: str) -> Iterator[list[bytes]]:
        """The keys that match, page by page."""
        cursor = 0
        while True:
            found, page = self._store.do("SCAN", cursor, "MATCH", pattern, "COUNT", _PAGE)
            self.came_by(_PAGE)
            if page:
                yield page
            cursor = int(found)
            if cursor == 0:
                return

    def keys(self, *patterns: str) -> list[bytes]:
        """All keys that match one of the patterns; for few."""
        return [key for pattern in patterns for page in self.pages(pattern) for key in page]

    def came_by(self, entries: int) -> None:
        """Counts what was looked at."""
        self._seen += entries
        self._walked(self._seen)


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

    def take(self, c: str) -> None:
        """Another conversation of theirs."""
        self._found.add(c)
        self._numbers.add(c.partition(":")[0])

    def _look_for(self, address: str) -> None:
        """What is kept under this address: an alias, or what belongs to a conversation of this id."""
        for page in self._walk.pages(f"wa:*:{address.translate(_GLOB)}"):
            for key in page:
                kind, _, c = text(key).removeprefix("wa:").partition(":")
                if c.partition(":")[2] == address and kind in ("who", *_OF_A_CONVERSATION):
                    self.take(c)
                    if kind == "who" and (theirs := text(self._store.do("GET", key))):
                        self.take(theirs)

    def _named_by_contacts(self) -> set[str]:
        """The addresses of their contacts: of their conversations, and of any that names one of their addresses."""
        named: set[str] = set()
        prefix = keys.contact("")
        for page in self._walk.pages(keys.contact("*")):
            for key, found in zip(page, self._store.run([("HGET", key, "addresses") for key in page]), strict=True):
                c, addresses = text(key).removeprefix(prefix), set(text(found).split())
                if self.has(c) or addresses & self.addresses:
                    self.take(c)
                    named |= addresses
        return named


class Eraser:
    """Erases a person by walking every place that may hold a word of them: rare, complete, unhurried."""

    def __init__(self, store: Store, walk: Walk, person: Person) -> None:
        self._store = store
        self._walk = walk
        self._person = person
        self._mentions = Mentions(person.addresses)
        # What they wrote to a group has answers and transcripts that do not name them.
        self._messages: set[str] = set()
        self._references: set[str] = set()
        self._erased = 0

    def run(self) -> int:
        """Erases; returns how many keys and entries."""
        self._conversations()
        self._records()
        self._stream()
        self._answers()
        self._mailboxes()
        self._dead_letters()
        self._lists()
        return self._erased

    def _do(self, commands: list[Command]) -> None:
        for result in self._store.run(commands):
            self._erased += result if isinstance(result, int) else 0

    def _conversations(self) -> None:
        """First of all: whoever works on one has lost it, and writes nothing more."""
        addresses = sorted(self._person.addresses)
        self._do([("ZREM", key, *addresses) for key in self._walk.keys(keys.reach("*"))])
        work = self._walk.keys("wa:held:*", "wa:took:*")
        for c in self._person.conversations:
            number = c.partition(":")[0]
            personal = [f"wa:{kind}:{c}" for kind in _OF_A_CONVERSATION]
            personal += [keys.who(number, address) for address in addresses]
            commands: list[Command] = [("DEL", *personal), ("ZREM", keys.DUE, c)]
            commands += [("ZREM", keys.out(number, priority), c) for priority in (0, 1)]
            commands += [("HDEL", key, c) for key in work]
            self._do(commands)

    def _records(self) -> None:
        for page in self._walk.pages(keys.record("*")):
            rows = self._store.run([("HMGET", key, "c", "wamid", "idem", "n") for key in page])
            for key, (c, wamid, idem, number) in zip(page, rows, strict=True):
                if not self._person.has(text(c)):
                    continue
                record_id = key.removeprefix(b"wa:rec:")
                gone = [key, *([idem] if idem else [])]
                if wamid:
                    gone.append(keys.wamid(keys.mark(text(number), text(wamid))))
                self._do([("DEL", *gone), ("ZREM", keys.BUSY, record_id), ("ZREM", keys.DOUBT, record_id)])

    def _answers(self) -> None:
        """What waits to be sent to a group as the answer to something they wrote, and may repeat it."""
        if not self._references:
            return
        for page in self._walk.pages(keys.record("*")):
            origins = self._store.run([("HGET", key, "origin") for key in page])
            for key, origin in zip(page, origins, strict=True):
                if text(origin).partition("@")[0] in self._references:
                    self._do([self._store.step("retract", key.removeprefix(b"wa:rec:"))])

    def _mailboxes(self) -> None:
        """What they wrote to groups and nobody has handled yet; what others wrote stays, whomever it names."""
        prefix = keys.mailbox("")
        for page in self._walk.pages(keys.mailbox("*")):
            boxes = self._store.run([("ZRANGE", key, 0, -1) for key in page])
            for key, events in zip(page, boxes, strict=True):
                c = text(key).removeprefix(prefix)
                if self._person.has(c):
                    continue  # who writes meanwhile begins anew
                self._do([self._store.step("strike", c, event) for event in events if self._mentions.sent(event)])

    def _dead_letters(self) -> None:
        for page in self._walk.pages(keys.dead_letter("*")):
            rows = self._store.run([("HMGET", key, "c", "event") for key in page])
            for key, (c, event) in zip(page, rows, strict=True):
                theirs = self._person.has(text(c)) or self._mentions.sent(event or b"{}")
                if theirs or self._mentions.stand_in(event or b""):
                    self._do([("DEL", key), ("ZREM", keys.DEAD, key.removeprefix(b"wa:dead:"))])

    def _lists(self) -> None:
        for key in (keys.FOREIGN, keys.STRAY, keys.MANAGEMENT):
            for entry in self._store.do("LRANGE", key, 0, -1):
                if self._mentions.stand_in(entry):
                    self._do([("LREM", key, 0, entry)])

    def _stream(self) -> None:
        after: str | bytes = "-"
        while entries := self._store.do("XRANGE", keys.EVENTS, after, "+", "COUNT", _PAGE):
            gone = []
            for entry_id, flat in entries:
                entry = dict(zip(flat[::2], flat[1::2], strict=True))
                if self._is_told_of(text(entry.get(b"k")), text(entry.get(b"c")), entry.get(b"d", b"")):
                    gone.append(entry_id)
            if gone:
                self._do([("XDEL", keys.EVENTS, *gone)])
            self._walk.came_by(len(entries))
            after = b"(" + entries[-1][0]

    def _is_told_of(self, kind: str, c: str, data: bytes) -> bool:
        """Whether an entry of the stream is theirs, names them, or is the transcript of what they said to a group."""
        if self._person.has(c):
            return True
        if kind == "heard":
            return self._mentions.stand_in(data) or orjson.loads(data).get("message_id") in self._messages
        if kind == "message" and self._mentions.sent(data):
            event = orjson.loads(data)
            number, message_id = event.get("n", event.get("phone_number_id")), event.get("i", event.get("id"))
            self._messages.add(message_id)
            self._references.add(reference(number, message_id))
            return True
        return self._mentions.stand_in(data)
