"""What is known of a customer: name, addresses, service window; and how one person is forgotten everywhere."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from wa_service.store.client import Store, fields, text
from wa_service.store.erasure import Eraser, Person, Progress, Walk, no_progress
from wa_service.whatsapp.addresses import as_stored, is_number, is_user_id


@dataclass(frozen=True, slots=True)
class Contact:
    """A customer of one of our numbers; times in ms. The service window is open until `window_end`."""

    conversation: str
    number: str
    name: str | None
    addresses: tuple[str, ...]
    last_in: int | None
    window_end: int | None


class NobodysAddressError(ValueError):
    """Nobody can have this address, so there is nobody to forget; its text does not repeat it."""

    def __init__(self) -> None:
        super().__init__("This is no phone number with its country code, no business-scoped user id, no known address.")


class Contacts:
    """Contacts by address, on any of `numbers`. Raises `StoreUnavailableError`."""

    def __init__(self, store: Store, numbers: Sequence[str]) -> None:
        self._store = store
        self._numbers = tuple(numbers)

    def conversations(self, address: str) -> list[str]:
        """The conversations an address (wa_id, BSUID) belongs to: at most one for each number of ours."""
        found = self._store.run([("GET", self._store.keys.alias(number, address)) for number in self._numbers])
        return list(dict.fromkeys(text(c) for c in found if c))

    def find(self, address: str) -> list[Contact]:
        """The contacts with this address, one for each number of ours that knows it."""
        conversations = self.conversations(as_stored(address))
        hashes = self._store.run([("HGETALL", self._store.keys.contact(c)) for c in conversations])
        return [_read(c, fields(flat)) for c, flat in zip(conversations, hashes, strict=True)]

    def forget(self, address: str, *, progress: Progress = no_progress) -> int:
        """Erases a person: addresses, mailbox, lane, records, events, dead letters. Returns how many keys and entries.

        What is being sent at this moment still leaves; nothing of it is kept. Wamids elsewhere that hold one of the
        person's numbers are erased with what holds them. It walks all of the store, some times: `progress` is
        called with how many keys were looked at so far.

        Raises:
            NobodysAddressError: nobody is known under this address, and nobody could be.
        """
        address = as_stored(address)
        walk = Walk(self._store, progress)
        person = Person(self._store, walk, self._numbers, address)
        if not (is_number(address) or is_user_id(address) or person.is_known):
            raise NobodysAddressError
        return Eraser(self._store, walk, person).run()


def _read(conversation: str, data: dict[str, str]) -> Contact:
    return Contact(
        conversation=conversation,
        number=conversation.split(":", 1)[0],
        name=data.get("name"),
        addresses=tuple(data.get("addresses", "").split()),
        last_in=int(float(data["last_in"])) if "last_in" in data else None,
        window_end=int(float(data["window_end"])) if "window_end" in data else None,
    )
