"""Keyed digests of addresses, under which a STOP outlives its contact without identifying the customer."""

from __future__ import annotations

import secrets
from collections.abc import Iterable
from hashlib import blake2b
from typing import Final

from wa_service.store.client import Store, text
from wa_service.whatsapp.addresses import spellings

_KEY_BYTES: Final = 32
_OWN: Final = "made here"


class StopDigests:
    """Make digests with `key`, or with a random key that all processes share in the store.

    A changed key loses every STOP whose contact is gone. Raises `StoreUnavailableError` where the key must be read.
    """

    def __init__(self, store: Store, key: bytes | None = None) -> None:
        self._store = store
        self._mark = _OWN if key is None else blake2b(key, digest_size=8).hexdigest()
        self._remembered = False
        self._key = blake2b(key).digest() if key is not None else None

    def of(self, addresses: Iterable[str]) -> tuple[str, ...]:
        """Return the digest of each address; Meta's two spellings of a number have the same."""
        key = self._key or self._stored_key()
        named = dict.fromkeys(min(spellings(address)) for address in addresses)
        return tuple(blake2b(name.encode(), key=key, digest_size=16).hexdigest() for name in named)

    def remember_key(self) -> None:
        """Store the digest of the key that was used first; once in a process."""
        if not self._remembered:
            self._store.do("SET", self._store.keys.of("stop_key_mark"), self._mark, "NX")
            self._remembered = True

    def key_has_changed(self) -> bool:
        """Whether another key was used first."""
        first = text(self._store.do("GET", self._store.keys.of("stop_key_mark")))
        return first not in {"", self._mark}

    def _stored_key(self) -> bytes:
        name = self._store.keys.of("stop_key")
        made = secrets.token_hex(_KEY_BYTES)
        _, kept = self._store.run([("SET", name, made, "NX"), ("GET", name)], replicated=True)
        self._key = blake2b(bytes(kept)).digest()
        return self._key
