"""Find one person in the store: their conversations and addresses, by walking its keys."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Final

import orjson

from wa_service.store.client import Store, fields, text
from wa_service.store.keys import families
from wa_service.whatsapp.addresses import is_user_id, spellings
from wa_service.whatsapp.phone_numbers import is_number

PAGE: Final = 1_000
"""Entries that are read at a time."""
_OF_A_CONVERSATION: Final = families("conversation")
_FINDINGS: Final = ("conversations", "addresses", "former", "messages", "references")
_SPECIAL: Final = str.maketrans({special: f"\\{special}" for special in "\\*?[]^"})

Progress = Callable[[int], None]


def no_progress(_: int) -> None:
    """Ignore progress."""


def escaped(part: str) -> str:
    """Return a part of a key as it is written in a pattern for keys."""
    return part.translate(_SPECIAL)


class Walk:
    """Scan all keys of the tag in small steps; `progress` is called with the number of keys read so far."""

    def __init__(self, store: Store, progress: Progress) -> None:
        self._store = store
        self._progress = progress
        self._seen = 0

    def pages(self, pattern: str) -> Iterator[list[bytes]]:
        """Yield the keys that match a pattern after the prefix, page by page."""
        cursor = 0
        match = escaped(self._store.keys.prefix) + pattern
        while True:
            found, page = self._store.do("SCAN", cursor, "MATCH", match, "COUNT", PAGE)
            self.advance(PAGE)
            if page:
                yield page
            cursor = int(found)
            if cursor == 0:
                return

    def keys(self, *patterns: str) -> list[bytes]:
        """Return all keys that match one of the patterns; for small results."""
        return [key for pattern in patterns for page in self.pages(pattern) for key in page]

    def advance(self, entries: int) -> None:
        """Add to the progress."""
        self._seen += entries
        self._progress(self._seen)


class Person:
    """One person's conversations and addresses, with any number, including numbers that are no longer configured.

    Aliases and contacts are followed as far as they exist; each may have expired before the others. A number is not
    followed to a contact with other user ids: with another of our numbers it may still belong to somebody else.

    `messages` and `references`: of what they wrote to groups, which an erasure finds. Replies to these and transcripts
    of them do not contain the person's address. `unfinished`: names of interrupted erasures of the person; what these
    found is added, because contacts and aliases are gone.
    """

    def __init__(self, store: Store, walk: Walk, address: str) -> None:
        self._store = store
        self._walk = walk
        self.conversations: set[str] = set()
        self.addresses: set[str] = set()
        self.former: set[str] = set()
        self.messages: set[str] = set()
        self.references: set[str] = set()
        self.unfinished = self._unfinished(set(spellings(address)))
        self._follow(self.addresses | {address})
        if not self.is_known:
            self._follow(set(spellings(address)))
        if not self.is_known:
            self._follow_who_left(address)
        self.addresses.add(address)

    @property
    def is_known(self) -> bool:
        """Whether any conversation was found."""
        return bool(self.conversations)

    def has(self, c: str) -> bool:
        """Whether a conversation is theirs."""
        return c in self.conversations

    def as_json(self) -> bytes:
        """Return what `_unfinished` reads."""
        return orjson.dumps({name: sorted(getattr(self, name)) for name in _FINDINGS})

    def _unfinished(self, addresses: set[str]) -> list[str]:
        """Add what interrupted erasures of the person found; return their names."""
        stored = fields(self._store.do("HGETALL", self._store.keys.of("erasures")))
        found = {name: orjson.loads(noted.partition(" ")[2]) for name, noted in stored.items()}
        theirs = [name for name, person in found.items() if addresses & set(person["addresses"])]
        for name in theirs:
            for finding in _FINDINGS:
                getattr(self, finding).update(found[name][finding])
        return theirs

    def _follow(self, fresh: set[str]) -> None:
        seen: set[str] = set()
        while fresh:
            for c in sorted(self._found_by(fresh)):
                self._add(c, by=fresh)
            seen |= fresh
            fresh = self.addresses - seen

    def _follow_who_left(self, number: str) -> None:
        """Follow a number without a current owner to the contact that had it last."""
        for key in self._walk.keys(f"former:*:{escaped(number)}"):
            self._add(text(self._store.do("GET", key)).rpartition(" ")[2], by=set())
        self._follow(set(self.addresses))

    def _found_by(self, addresses: set[str]) -> set[str]:
        """The conversations whose alias, contact or remaining keys have one of the addresses."""
        keys, found = self._store.keys, set[str]()
        for address in addresses:
            for page in self._walk.pages(f"*:{escaped(address)}"):
                for family, c, key in ((*keys.part_of(key), key) for key in page):
                    if c.partition(":")[2] != address:
                        continue
                    if family == "alias":
                        found.add(text(self._store.do("GET", key)))
                    elif family in _OF_A_CONVERSATION and not self._store.do(
                        "EXISTS", keys.contact(c), keys.of("joined", c)
                    ):
                        found.add(c)
        for page in self._walk.pages("contact:*"):
            for key, named in zip(page, self._store.run([("HGET", key, "addresses") for key in page]), strict=True):
                if addresses & set(text(named).split()):
                    found.add(keys.part_of(key)[1])
        return found - self.conversations

    def _add(self, c: str, *, by: set[str]) -> None:
        named, former, joined = (
            set(text(words).split())
            for words in self._store.do("HMGET", self._store.keys.contact(c), "addresses", "former", "joined")
        )
        ids, known = set(filter(is_user_id, named)), set(filter(is_user_id, self.addresses))
        if ids and known and not ids & known and all(map(is_number, by & named)):
            return
        self.conversations |= {c} | joined
        self.addresses |= named or {c.partition(":")[2]}
        self.former |= former
