"""Search conversations by number, user id, name, message id or tag."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Final

from wa_service.store.contacts import Contact, Contacts
from wa_service.store.customer_names import CustomerNames
from wa_service.store.records import Records
from wa_service.store.threads import Threads

LONGEST: Final = 256
_RECORD_ID: Final = re.compile(r"[0-9a-f]{32}f?")
_LONGEST_TAG: Final = 68
_DIGITS: Final = re.compile(r"[+0-9 ()./\-]{6,25}")


@dataclass(frozen=True, slots=True)
class FoundConversation:
    """A search result: a place in the conversation, its customer, and `by`: number, name, message, tag or recent.

    `last_at`: the last activity (ms, to the minute), None where unknown.
    """

    place: str
    contact: Contact
    by: str
    last_at: int | None = None


class Search:
    """Search conversations. Raises `StoreUnavailableError`."""

    def __init__(
        self, threads: Threads, contacts: Contacts, names: CustomerNames, records: Records, numbers: Sequence[str]
    ) -> None:
        self._threads = threads
        self._contacts = contacts
        self._names = names
        self._records = records
        self._numbers = tuple(numbers)

    def recent(self, count: int = 50) -> list[FoundConversation]:
        """Return the most recently active conversations."""
        rows = dict(self._threads.recent(count))
        return self._found(list(rows), "recent", rows)

    def places(self, conversations: Sequence[str]) -> dict[str, str]:
        """Return a place that identifies each conversation; conversations without one are left out."""
        return self._threads.last_places(conversations)

    def find(self, wanted: str) -> list[FoundConversation]:
        """Return the results of the most specific kind of search that has any; `tag:` searches tags only."""
        wanted = wanted.strip()[:LONGEST]
        if not wanted:
            return []
        if wanted.startswith("wamid.") or _RECORD_ID.fullmatch(wanted):
            return self._at(list(self._message_places(wanted)), "message")
        address = re.sub(r"[ ()./\-]", "", wanted) if _DIGITS.fullmatch(wanted) else wanted
        found = self._found(self._contacts.conversations_of(address), "number")
        if not found and not _DIGITS.fullmatch(wanted) and not wanted.startswith("tag:"):
            found = self._found(self._names.find(wanted), "name")
        if found or len(wanted) > _LONGEST_TAG:
            return found
        tagged = self._threads.tagged(wanted.removeprefix("tag:"))
        return self._at([f"r{record_id}" for record_id in tagged], "tag")

    def _message_places(self, wanted: str) -> Iterator[str]:
        record = self._records.find(wanted, self._numbers)
        if record is not None:
            yield f"r{record.id}"
        for number in self._numbers:
            place = self._threads.place_of_message(number, wanted)
            if place is not None:
                yield place

    def _at(self, places: Sequence[str], by: str) -> list[FoundConversation]:
        named = [(place, self._threads.conversation_of(place)) for place in places]
        known = [(place, conversation) for place, conversation in named if conversation]
        contacts = self._contacts.of_conversations([conversation for _, conversation in known])
        return [FoundConversation(place, contact, by) for (place, _), contact in zip(known, contacts, strict=True)]

    def _found(
        self, conversations: Sequence[str], by: str, last: dict[str, int] | None = None
    ) -> list[FoundConversation]:
        places = self._threads.last_places(conversations)
        known = [conversation for conversation in conversations if conversation in places]
        contacts = self._contacts.of_conversations(known)
        return [
            FoundConversation(places[conversation], contact, by, (last or {}).get(conversation))
            for conversation, contact in zip(known, contacts, strict=True)
        ]
