"""Console sessions that were signed out, so that a copied cookie is no longer valid."""

from __future__ import annotations

from wa_service.store.client import Store


class EndedSessions:
    """Ended sessions by id, kept for the lifetime of their cookies. Raises `StoreUnavailableError`."""

    def __init__(self, store: Store, seconds: int) -> None:
        self._store = store
        self._seconds = seconds

    def add(self, session_id: str) -> None:
        self._store.do("SET", self._store.keys.of("signed_out", session_id), "", "EX", self._seconds)

    def has(self, session_id: str) -> bool:
        return bool(self._store.do("EXISTS", self._store.keys.of("signed_out", session_id)))
