"""Find customers by name: by any part of it among recent customers, by the beginning of a word among all.

`names` has each word of each name with its conversation, sorted: see steps/shared/identity.lua.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from string import ascii_lowercase, ascii_uppercase
from typing import Any, Final

import orjson

from wa_service.store.client import Store, text

NEWEST: Final = 10_000
"""The newest conversations, searched for any part of the name: about 80 ms of the server's time."""
_MOST_OF_A_WORD: Final = 20_000
"""Most names with the rarest word that are compared with the whole search text."""
_STEP: Final = 2_000
_LEAST_SWEPT: Final = 2_000
_SWEEPS_OF_A_DAY: Final = 1_440
_WORD: Final = re.compile(r"[^\t-\r !-/:-@\[-`{-~\x00]+")
_LONGEST_WORD: Final = 64
# Lua's string.lower changes ASCII letters only.
_LOWER: Final = str.maketrans(ascii_uppercase, ascii_lowercase)


class CustomerNames:
    """An index of customers' names. Raises `StoreUnavailableError`."""

    def __init__(self, store: Store, *, retention_seconds: int) -> None:
        self._store = store
        self._retention = retention_seconds
        self._swept = b""

    def find(self, name: str, count: int = 50) -> list[str]:
        """Return at most `count` conversations whose customer's name contains this text, recent ones first."""
        forms = sorted(
            {form.translate(_LOWER) for form in (name, name.lower(), name.casefold(), name.title(), name.upper())}
        )
        wanted = orjson.dumps(forms)
        found = dict.fromkeys(self._newest(wanted, count))
        if len(found) < count:
            found |= dict.fromkeys(self._beginning(_ranges(forms), wanted, count - len(found)))
        return list(found)[:count]

    def sweep(self) -> None:
        """Remove a part of the outdated words; called once a minute, it covers all in a day."""
        count = max(_LEAST_SWEPT, self._store.do("ZCARD", self._store.keys.of("names")) // _SWEEPS_OF_A_DAY)
        self._swept = self._store.call("sweep_names", after=self._swept, count=count, retention=self._retention)

    def _newest(self, wanted: bytes, count: int) -> Iterator[str]:
        for start in range(0, NEWEST, _STEP):
            more, *found = self._store.call("find_newest", wanted=wanted, start=start, count=_STEP)
            yield from map(text, found)
            count -= len(found)
            if not more or count <= 0:
                return

    def _beginning(self, words: Iterable[list[tuple[bytes, bytes]]], wanted: bytes, count: int) -> Iterator[str]:
        """Search the names that have the rarest word of the search text."""
        rarest = min(words, key=self._frequency, default=[])
        for first, highest in rarest:
            lowest = first
            for _ in range(0, _MOST_OF_A_WORD, _STEP):
                last, *found = self._store.call(
                    "find_named", lowest=lowest, highest=highest, wanted=wanted, count=_STEP
                )
                yield from map(text, found)
                count -= len(found)
                if not last or count <= 0:
                    break
                lowest = b"(" + last

    def _frequency(self, ranges: list[tuple[bytes, bytes]]) -> int:
        key = self._store.keys.of("names")
        commands: list[tuple[Any, ...]] = [("ZLEXCOUNT", key, *each) for each in ranges]
        # Without a match, it may be the end of a word: rank it last.
        return sum(self._store.run(commands)) or _MOST_OF_A_WORD**2


def _ranges(forms: list[str]) -> list[list[tuple[bytes, bytes]]]:
    """Return, for each word, the ranges of `names` with its spellings."""
    of_each = zip(*(_WORD.findall(form) for form in forms), strict=False)
    return [[_range(spelling.encode()[:_LONGEST_WORD]) for spelling in sorted(set(word))] for word in of_each]


def _range(word: bytes) -> tuple[bytes, bytes]:
    return b"[" + word, b"(" + word + b"\xff"
