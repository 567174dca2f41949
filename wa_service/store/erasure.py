"""How one person is forgotten: every place that may hold a word of them, walked in small steps."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

from wa_service.store import keys
from wa_service.store.mentions import Mentions
from wa_service.store.redis import Store, text

_PAGE = 500


class Eraser:
    """Erases conversations by walking every place that may hold a word of them: rare, complete, unhurried."""

    def __init__(self, store: Store, numbers: Sequence[str], conversations: set[str], addresses: set[str]) -> None:
        self._store = store
        self._numbers = numbers
        self._conversations = conversations
        self._addresses = sorted(addresses)
        self._mentions = Mentions(addresses)
        self._erased = 0

    def run(self) -> int:
        """Erases; returns how many keys and entries."""
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
        personal += [keys.who(number, address) for address in self._addresses]
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
                if text(c) in self._conversations or self._mentions.stand_in(event or b""):
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
                if text(entry.get(b"c")) in self._conversations or self._mentions.stand_in(entry.get(b"d", b"")):
                    gone.append(entry_id)
            if gone:
                self._do([("XDEL", keys.EVENTS, *gone)])
            after = b"(" + entries[-1][0]

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
