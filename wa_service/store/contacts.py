"""What is known of a customer: name, addresses, service window; and how one person is forgotten everywhere."""

from __future__ import annotations

import base64
import binascii
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from wa_service.store import keys
from wa_service.store.redis import Store, fields, text

_PAGE = 500
_WAMID = re.compile(rb"wamid\.[A-Za-z0-9+/=_-]+")


@dataclass(frozen=True, slots=True)
class Contact:
    """A customer of one of our numbers; times in ms. The service window is open until `window_end`."""

    conversation: str
    number: str
    name: str | None
    addresses: tuple[str, ...]
    last_in: int | None
    window_end: int | None


class Contacts:
    """Contacts by address, on any of `numbers`. Raises `StoreAwayError`."""

    def __init__(self, store: Store, numbers: Sequence[str]) -> None:
        self._store = store
        self._numbers = tuple(numbers)

    def conversations(self, address: str) -> list[str]:
        """The conversations an address (wa_id, BSUID) belongs to: at most one for each number of ours."""
        found = self._store.run([("GET", keys.who(number, address)) for number in self._numbers])
        return list(dict.fromkeys(text(c) for c in found if c))

    def find(self, address: str) -> list[Contact]:
        """The contacts with this address, one for each number of ours that knows it."""
        conversations = self.conversations(address)
        hashes = self._store.run([("HGETALL", keys.contact(c)) for c in conversations])
        return [_read(c, fields(flat)) for c, flat in zip(conversations, hashes, strict=True)]

    def forget(self, address: str) -> int:
        """Erases a person: addresses, mailbox, lane, records, events, dead letters. Returns how many keys and entries.

        What is being sent at this moment still leaves; nothing of it is kept. Wamids elsewhere that hold one of the
        person's numbers are erased with what holds them.
        """
        addresses = {address}
        conversations: set[str] = set()
        for _ in range(3):  # an alias may lead to a conversation with further aliases
            for known in tuple(addresses):
                conversations.update(self.conversations(known))
            for contact in self._store.run([("HGET", keys.contact(c), "addresses") for c in sorted(conversations)]):
                addresses.update(text(contact).split())
        conversations.update(f"{number}:{known}" for number in self._numbers for known in addresses)
        return _Eraser(self._store, self._numbers, conversations, addresses).run()


def _read(conversation: str, data: dict[str, str]) -> Contact:
    return Contact(
        conversation=conversation,
        number=conversation.split(":", 1)[0],
        name=data.get("name"),
        addresses=tuple(data.get("addresses", "").split()),
        last_in=int(float(data["last_in"])) if "last_in" in data else None,
        window_end=int(float(data["window_end"])) if "window_end" in data else None,
    )


class _Eraser:
    """Erases conversations by walking every place that may hold a word of them: rare, complete, unhurried."""

    def __init__(self, store: Store, numbers: Sequence[str], conversations: set[str], addresses: set[str]) -> None:
        self._store = store
        self._numbers = numbers
        self._conversations = conversations
        self._needles = [address.encode() for address in sorted(addresses)]
        self._erased = 0

    def run(self) -> int:
        for c in sorted(self._conversations):
            self._conversation(c)
        self._records()
        self._dead_letters()
        self._lists()
        self._stream()
        return self._erased

    def _do(self, commands: list[tuple[Any, ...]]) -> None:
        for result in self._store.run(commands):
            self._erased += result if isinstance(result, int) else 0

    def _conversation(self, c: str) -> None:
        number = c.split(":", 1)[0]
        personal = [f"wa:{kind}:{c}" for kind in ("contact", "box", "lane", "q", "pair")]
        personal += [keys.who(number, needle.decode()) for needle in self._needles]
        commands: list[tuple[Any, ...]] = [("DEL", *personal), ("ZREM", keys.DUE, c)]
        commands += [("ZREM", keys.out(number, priority), c) for priority in (0, 1)]
        commands += [("ZREM", key, c.partition(":")[2]) for key in self._scan(keys.reach("*"))]
        commands += [("HDEL", key, c) for pattern in ("wa:held:*", "wa:took:*") for key in self._scan(pattern)]
        self._do(commands)

    def _records(self) -> None:
        for page in self._pages(keys.record("*")):
            rows = self._store.run([("HMGET", key, "c", "wamid", "idem", "n") for key in page])
            for key, (c, wamid, idem, number) in zip(page, rows, strict=True):
                if text(c) not in self._conversations:
                    continue
                record_id = key.removeprefix(b"wa:rec:")
                gone = [key, *([idem] if idem else [])]
                if wamid:
                    gone.append(keys.wamid(keys.mark(text(number), text(wamid))))
                self._do([("DEL", *gone), ("ZREM", keys.BUSY, record_id), ("ZREM", keys.DOUBT, record_id)])

    def _dead_letters(self) -> None:
        for page in self._pages(keys.dead_letter("*")):
            rows = self._store.run([("HMGET", key, "c", "event") for key in page])
            for key, (c, event) in zip(page, rows, strict=True):
                if text(c) in self._conversations or self._speaks_of_them(event or b""):
                    self._do([("DEL", key), ("ZREM", keys.DEAD, key.removeprefix(b"wa:dead:"))])

    def _lists(self) -> None:
        for key in (keys.FOREIGN, keys.STRAY, keys.MANAGEMENT):
            for entry in self._store.do("LRANGE", key, 0, -1):
                if self._speaks_of_them(entry):
                    self._do([("LREM", key, 0, entry)])

    def _stream(self) -> None:
        after: str | bytes = "-"
        while entries := self._store.do("XRANGE", keys.EVENTS, after, "+", "COUNT", _PAGE):
            gone = []
            for entry_id, flat in entries:
                entry = dict(zip(flat[::2], flat[1::2], strict=True))
                if text(entry.get(b"c")) in self._conversations or self._speaks_of_them(entry.get(b"d", b"")):
                    gone.append(entry_id)
            if gone:
                self._do([("XDEL", keys.EVENTS, *gone)])
            after = b"(" + entries[-1][0]

    def _speaks_of_them(self, data: bytes) -> bool:
        """Whether JSON holds one of the addresses, plainly or inside a wamid."""
        if any(needle in data for needle in self._needles):
            return True
        return any(needle in _decoded(wamid) for wamid in _WAMID.findall(data) for needle in self._needles)

    def _scan(self, pattern: str) -> list[bytes]:
        return [key for page in self._pages(pattern) for key in page]

    def _pages(self, pattern: str) -> Iterator[list[bytes]]:
        cursor = 0
        while True:
            found, page = self._store.do("SCAN", cursor, "MATCH", pattern, "COUNT", _PAGE)
            if page:
                yield page
            cursor = int(found)
            if cursor == 0:
                return


def _decoded(wamid: bytes) -> bytes:
    packed = wamid.removeprefix(b"wamid.").rstrip(b"=")
    try:
        return base64.b64decode(packed + b"=" * (-len(packed) % 4), altchars=b"-_" if b"-" in packed else None)
    except (binascii.Error, ValueError):
        return b""
