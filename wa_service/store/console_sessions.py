"""Which sessions of the console were ended before their time: a cookie that was copied is worth nothing then."""

from __future__ import annotations

from wa_service.store.client import Store


class EndedSessions:
    """Ended sessions by id, remembered as long as their cookies could be used. Raises `StoreUnavailableError`."""

    def __init__(self, store: Store, seconds: int) -> None:
        self._store = store
        self._seconds = seconds

    def add(self, session_id: str) -> None:
        """End a session."""
        self._store.do("SET", self._store.keys.of("signed_out", session_id), "", "EX", self._seconds)

    def has(self, session_id: str) -> bool:
        """Whether a session was ended."""
        return bool(self._store.do("EXISTS", self._store.keys.of("signed_out", session_id)))
