"""Read from Meta's events who the sender is, as docs/identity.md's table says.

A person has numbers, which may be reassigned to others, and business-scoped user ids, which never are (reference 2.9).
A message names its sender's addresses; a system message or a `user_id_update` says that some were replaced. The store's
`resolve` decides what follows from that.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Final

from wa_service.whatsapp.addresses import as_stored, spellings
from wa_service.whatsapp.phone_numbers import is_number
from wa_service.whatsapp.webhooks.json_fields import id_of, items_of, seconds_of

PARTICIPANT: Final = (
    "recipient_participant_id",
    "recipient_participant_user_id",
    "recipient_participant_parent_user_id",
)
"""The fields of a status that name a group's participant."""
_NEW_NUMBER: Final = ("wa_id", "new_wa_id")
_USER_IDS: Final = ("user_id", "parent_user_id")
_PREVIOUS: Final = ("previous_user_id", "previous_parent_user_id")
_CHANGES: Final = frozenset({"user_changed_number", "customer_changed_number", "user_changed_user_id"})


@dataclass(frozen=True, slots=True)
class Identity:
    """A person's addresses after an event.

    `numbers`: the current ones. `user_ids`: business-scoped ids and parents', including old ones. `previous_ids`: those
    that were replaced. `known_by`: a number that only identifies whom a change is about; `leaves`: the person no longer
    has it. `is_change`: Meta says that addresses belong together. `id_follows`: it names a new number, but not the user
    id that comes with it. `group_id`: that of a group's message.
    """

    numbers: tuple[str, ...] = ()
    user_ids: tuple[str, ...] = ()
    previous_ids: tuple[str, ...] = ()
    known_by: str = ""
    leaves: bool = False
    is_change: bool = False
    id_follows: bool = False
    group_id: str = ""

    def as_argument(self, at: int) -> dict[str, Any]:
        """Return the argument of the store's steps; `at`: Meta's time of the event (s, 0 unknown)."""
        return {
            "group": self.group_id,
            "numbers": [spellings(number) for number in self.numbers],
            "ids": list(dict.fromkeys((*self.user_ids, *self.previous_ids))),
            "previous": list(self.previous_ids),
            "known_by": spellings(self.known_by) if self.known_by else [],
            "leaves": self.leaves,
            "change": self.is_change,
            "id_follows": self.id_follows,
            "at": at,
        }


def address_of(value: object) -> str:
    """Return an address from any of Meta's forms: a string, a number with or without `+`, an integer; else ""."""
    if isinstance(value, int) and not isinstance(value, bool) and value > 0:
        return str(value)
    if not isinstance(value, str) or not value:
        return ""
    if value.isascii() and value.isdigit():
        return value  # Meta's own form is not validated
    return as_stored(value) if value[0] == "+" or value[0].isdigit() else value


class KnownContacts:
    """Meta's contacts in one value, indexed at the first look-up: a delivery has up to 1,000 updates (5.3)."""

    __slots__ = ("_by_number", "_by_user_id", "listed")

    def __init__(self, found: object) -> None:
        """`found`: the value's `contacts`, of any shape."""
        self.listed: list[dict[str, Any]] = [contact for contact in items_of(found) if isinstance(contact, dict)]
        self._by_number: dict[str, int] | None = None
        self._by_user_id: dict[str, int] = {}

    def of(self, number: str, user_id: str) -> dict[str, Any] | None:
        """Return the contact of a number, in any spelling (5.4), or of a user id; None if there is none."""
        if not self.listed:
            return None
        by_number = self._index() if self._by_number is None else self._by_number
        places = [by_number.get(number), self._by_user_id.get(user_id)]
        found = [place for place in places if place is not None]
        found = found or [by_number[other] for other in spellings(number) if other in by_number]
        return self.listed[min(found)] if found else None

    def _index(self) -> dict[str, int]:
        by_number: dict[str, int] = {}
        for place, contact in enumerate(self.listed):
            if number := address_of(contact.get("wa_id")):
                by_number.setdefault(number, place)
            if user_id := id_of(contact, "user_id"):
                self._by_user_id.setdefault(user_id, place)
        self._by_number = by_number
        return by_number


def group_of_status(status: Mapping[str, Any]) -> str:
    """Return the group of a status, "" if it has none; some name it in `group_id`, beside the participant (5.7)."""
    is_recipient = status.get("recipient_type") == "group" or any(map(status.get, PARTICIPANT))
    return address_of(status.get("group_id")) or (address_of(status.get("recipient_id")) if is_recipient else "")


def identity_of_address(address: str) -> Identity:
    """Return the identity for an address that a caller gave."""
    if is_number(address):
        return Identity(numbers=(address,))
    return Identity(user_ids=(address,)) if "." in address else Identity(group_id=address)


def identity_of_message(message: Mapping[str, Any], contact: Mapping[str, Any] | None) -> Identity:
    """Return the identity of a message's sender, or of its group (5.6, 2.9)."""
    if group_id := address_of(message.get("group_id")):
        return Identity(group_id=group_id)
    beside = contact or {}
    system = message.get("system")
    if isinstance(system, dict) and message.get("type") == "system":
        return _identity_of_system_message(message, system, beside)
    return Identity(
        numbers=_addresses([message.get("from"), beside.get("wa_id")]),
        user_ids=_addresses(
            [
                message.get("from_user_id"),
                beside.get("user_id"),
                message.get("from_parent_user_id"),
                beside.get("parent_user_id"),
            ]
        ),
    )


def _identity_of_system_message(
    message: Mapping[str, Any], system: Mapping[str, Any], beside: Mapping[str, Any]
) -> Identity:
    sender = address_of(message.get("from")) or address_of(system.get("customer"))
    senders = [message.get("from_user_id"), message.get("from_parent_user_id"), *_values(beside, _USER_IDS)]
    user_ids = _addresses([*_values(system, _USER_IDS), *senders])
    if system.get("type") not in _CHANGES:
        return Identity(numbers=_addresses([sender, beside.get("wa_id")]), user_ids=user_ids)
    numbers = _addresses(_values(system, _NEW_NUMBER))
    if not sender and numbers:  # then the contact may have the old number
        sender = next((one for one in _addresses([beside.get("wa_id")]) if one not in numbers), "")
    known_by = sender if sender not in {spelling for number in numbers for spelling in spellings(number)} else ""
    return Identity(
        numbers=numbers,
        user_ids=user_ids,
        previous_ids=_addresses(_values(system, _PREVIOUS)),
        known_by=known_by,
        leaves=bool(numbers),
        is_change=True,
        id_follows=bool(numbers) and not _addresses(_values(system, _USER_IDS)),
    )


def identities_of_update(value: Mapping[str, Any]) -> Iterator[tuple[Identity, int]]:
    """Yield the identities in the management field `user_id_update`, with their times (s)."""
    updates = value.get("user_id_update")
    for update in updates if isinstance(updates, list) else [updates]:
        if not isinstance(update, dict):
            continue
        ids = [update.get("user_id"), update.get("parent_user_id")]
        pairs = [one for one in ids if isinstance(one, dict)]
        current = _addresses([pair.get("current") for pair in pairs])
        previous = _addresses([pair.get("previous") for pair in pairs])
        if current or previous:
            known_by = address_of(update.get("wa_id"))
            who = Identity(user_ids=current, previous_ids=previous, known_by=known_by, is_change=True)
            yield who, seconds_of(update.get("timestamp"))


def callers(value: Mapping[str, Any]) -> Iterator[tuple[Identity, int, str]]:
    """Yield who called us, in the management field `calls`, with the time (s) and an id of the call's event (5.10)."""
    known = KnownContacts(value.get("contacts"))
    for call in items_of(value.get("calls")):
        if isinstance(call, dict) and call.get("direction") == "USER_INITIATED":
            contact = known.of(address_of(call.get("from")), id_of(call, "from_user_id"))
            who = identity_of_message(call, contact)
            if who.numbers or who.user_ids:
                yield who, seconds_of(call.get("timestamp")), f"{id_of(call, 'id')} {call.get('event')}"


def identity_of_recipient(status: Mapping[str, Any], contact: Mapping[str, Any] | None) -> Identity:
    """Return the identity of the recipient of a status (5.7); empty for a group."""
    if group_of_status(status):
        return Identity()
    beside = contact or {}
    parents = ("parent_recipient_user_id", "recipient_parent_user_id")
    return Identity(
        numbers=_addresses([status.get("recipient_id"), beside.get("wa_id")]),
        user_ids=_addresses([status.get("recipient_user_id"), *_values(beside, _USER_IDS), *_values(status, parents)]),
    )


def _values(found: Mapping[str, Any], names: Iterable[str]) -> list[object]:
    return [found.get(name) for name in names]


def _addresses(values: Iterable[object]) -> tuple[str, ...]:
    return tuple(dict.fromkeys(address for value in values if (address := address_of(value))))
