"""The phone numbers that a tag belongs to, and former ones whose sends may still wait."""

from __future__ import annotations

from collections.abc import Sequence

from wa_service.store.client import Store, text


class TagTakenError(Exception):
    """Another service uses this tag; the text says what to do."""

    def __init__(self, numbers: Sequence[str]) -> None:
        super().__init__(
            f"WA_STORE_TAG is that of another service on this Redis, with the numbers {', '.join(sorted(numbers))}: "
            "set another tag for this one, or keep one of those numbers until their work is done."
        )


class TagNumbers:
    """The numbers to which a store's tag is bound. Raises `StoreUnavailableError`."""

    def __init__(self, store: Store, *, retention_seconds: int) -> None:
        self._store = store
        self._retention = retention_seconds

    def bind(self, numbers: Sequence[str]) -> None:
        """Bind the tag to a service's numbers.

        Raises:
            TagTakenError: it is bound to other numbers, whose service is still at work.
        """
        if bound := self._store.call("bind_numbers", numbers=tuple(numbers)):
            raise TagTakenError([text(number) for number in bound])

    def former(self) -> list[str]:
        """Return former numbers of which sends may still wait."""
        return sorted(text(number) for number in self._store.do("SMEMBERS", self._store.keys.of("former_numbers")))

    def expire_former(self) -> list[str]:
        """Fail expired sends of former numbers; return the records' ids."""
        return [text(id_) for id_ in self._store.call("expire_former", retention=self._retention)]
