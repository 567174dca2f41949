"""Digests of addresses under which a STOP outlives its contact: keyed, so that they lead back to nobody."""

from __future__ import annotations

import secrets
from collections.abc import Iterable
from hashlib import blake2b

from wa_service.store.client import Store
from wa_service.whatsapp.addresses import spellings

_KEY_BYTES = 32


class StopDigests:
    """Makes digests with `key`, else with one that is made once and kept in the store, for all processes.

    With another key every STOP whose contact is gone is forgotten. Raises `StoreUnavailableError` where the key has to
    be read.
    """

    def __init__(self, store: Store, key: bytes | None = None) -> None:
        self._store = store
        self._key = blake2b(key).digest() if key is not None else None

    def of(self, addresses: Iterable[str]) -> tuple[str, ...]:
        """Return the digest of each address; Meta's two spellings of a number have one."""
        key = self._key or self._stored_key()
        named = dict.fromkeys(min(spellings(address)) for address in addresses)
        return tuple(blake2b(name.encode(), key=key, digest_size=16).hexdigest() for name in named)

    def _stored_key(self) -> bytes:
        name = self._store.keys.of("stop_key")
        made = secrets.token_hex(_KEY_BYTES)
        _, kept = self._store.run([("SET", name, made, "NX"), ("GET", name)])
        self._key = blake2b(bytes(kept)).digest()
        return self._key
