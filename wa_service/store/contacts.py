"""Contacts: a customer's name, addresses and service window; and the erasure of a person."""

from __future__ import annotations

import time
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Final, Literal

import orjson

from wa_service.store.client import Store, fields, text
from wa_service.store.erasure import Eraser
from wa_service.store.person import PAGE, Person, Progress, Walk, no_progress
from wa_service.store.stop_digests import StopDigests
from wa_service.whatsapp.addresses import as_stored, is_user_id, spellings
from wa_service.whatsapp.phone_numbers import is_number

_THREAD_MS: Final = 86_400_000
_INTERRUPTED_MS: Final = 900_000
"""An erasure that began so long ago and has not ended was interrupted."""
_CONTINUED_SECONDS: Final = 3_600
"""Between two attempts to continue an erasure."""
_STOP_FIELDS: Final = ("has_meta_time", "latest_meta_time", "received_at")
"""Of a customer's STOP, beside its time and source: see steps/shared/consent.lua."""


@dataclass(frozen=True, slots=True)
class Contact:
    """A customer of one of our numbers; times in ms. `window_end`: the end of the service window."""

    conversation: str
    number: str
    name: str | None
    addresses: tuple[str, ...]
    last_in: int | None
    window_end: int | None
    paused_until: int | None = None
    other_until: int | None = None

    def owner(self, now_ms: int) -> Literal["us", "other", "idle"]:
        """The thread's owner; "idle" after a day without a message from the customer."""
        if (self.other_until or 0) > now_ms:
            return "other"
        return "us" if now_ms - (self.last_in or 0) < _THREAD_MS else "idle"

    @property
    def address(self) -> str:
        """The address to show them under."""
        return shown_address(self.conversation, self.addresses)


def shown_address(conversation: str, addresses: Sequence[str]) -> str:
    """Return the address to show a customer under: their number, else their first address."""
    numbers = [one for one in addresses if is_number(one)]
    return (numbers or list(addresses) or [conversation.partition(":")[2]])[0]


class UnknownAddressError(ValueError):
    """The address cannot be anybody's, so nobody can be erased; the text does not repeat it."""

    def __init__(self) -> None:
        super().__init__("This is not a phone number with its country code, a user id or a known address.")


class Contacts:
    """Contacts by address, on any of `numbers`. Raises `StoreUnavailableError`."""

    def __init__(
        self,
        store: Store,
        numbers: Sequence[str],
        *,
        retention_seconds: int = 30 * 86_400,
        digests: StopDigests | None = None,
    ) -> None:
        self._store = store
        self._digests = digests
        self._retention = retention_seconds
        self._numbers = tuple(numbers)

    def conversations(self, address: str) -> list[str]:
        """The conversations of an address (wa_id, BSUID): at most one for each of our numbers."""
        keys, tried = self._store.keys, spellings(address)
        found = self._store.run([("GET", keys.alias(number, one)) for number in self._numbers for one in tried])
        of_each = [found[i : i + len(tried)] for i in range(0, len(found), len(tried))]
        return [text(next(filter(None, ones))) for ones in of_each if any(ones)]

    def addresses_of(self, conversations: Iterable[str]) -> dict[str, str]:
        """The address to show each conversation's customer under, even without a contact."""
        wanted = list(dict.fromkeys(conversations))
        return {c: contact.address for c, contact in zip(wanted, self._contacts(wanted), strict=True)}

    def conversations_of(self, address: str) -> list[str]:
        """As `conversations`, for an address as a person typed it."""
        return self.conversations(as_stored(address))

    def find(self, address: str) -> list[Contact]:
        """The contacts with this address, one for each of our numbers that has it."""
        return self._contacts(self.conversations(as_stored(address)))

    def of_conversation(self, conversation: str) -> Contact:
        """Return a conversation's contact, an empty one where it has expired."""
        return self._contacts([conversation])[0]

    def of_conversations(self, conversations: Sequence[str]) -> list[Contact]:
        """Return each conversation's contact."""
        return self._contacts(conversations)

    def _contacts(self, conversations: Sequence[str]) -> list[Contact]:
        """Each conversation's contact; of a joined one, that of the conversation it became."""
        keys = self._store.keys
        joined = self._store.run([("GET", keys.of("joined", c)) for c in conversations])
        now = [text(current) or c for c, current in zip(conversations, joined, strict=True)]
        hashes = self._store.run([("HGETALL", keys.contact(c)) for c in now])
        return [_read(c, fields(flat)) for c, flat in zip(now, hashes, strict=True)]

    def pause(self, address: str, seconds: float) -> int | None:
        """Pause automatic replies to a customer (0: resume); return until when (ms), None for an unknown customer."""
        conversations = self.conversations(as_stored(address))
        pause_ms = int(seconds * 1000)
        commands = [
            self._store.step("set_pause", conversation=c, pause_ms=pause_ms, retention=self._retention)
            for c in conversations
        ]
        until = [result for result in self._store.run(commands, replicated=True) if result >= 0]
        return max(until) if until else None

    def forget(self, address: str, *, progress: Progress = no_progress) -> int:
        """Erase a person: addresses, mailbox, lane, records, events, dead letters. Return how many keys and entries.

        A message that is being sent still leaves; nothing of it is kept. Entries with a wamid that contains one of the
        person's numbers are erased too. It scans the whole store several times: `progress` is called with the number of
        keys read so far.

        Raises:
            UnknownAddressError: nobody has this address, and nobody can.
        """
        address = as_stored(address)
        walk = Walk(self._store, progress)
        person = Person(self._store, walk, address)
        if not (is_number(address) or is_user_id(address) or person.is_known):
            raise UnknownAddressError
        return self._erase(person, walk)

    def continue_erasure(self) -> tuple[str, int | None] | None:
        """Continue one of the erasures that were interrupted, such as by the end of their process.

        Return the digest of an address of the person, and how many keys and entries were erased: None if the person has
        written since, or was written to, as the new messages must not be lost. Return None if there is no such erasure.
        """
        keys = self._store.keys
        before = time.time() * 1000 - _INTERRUPTED_MS
        for name, noted in fields(self._store.do("HGETALL", keys.of("erasures"))).items():
            began, _, written = noted.partition(" ")
            lock = ("SET", keys.of("erasure_lock", name), "", "NX", "EX", _CONTINUED_SECONDS)
            if int(began) > before or not self._store.do(*lock):
                continue
            walk = Walk(self._store, no_progress)
            person = Person(self._store, walk, min(orjson.loads(written)["addresses"]))
            return name, None if self._is_back(person, int(began)) else self._erase(person, walk)
        return None

    def _erase(self, person: Person, walk: Walk) -> int:
        self._keep_stop(person)
        return Eraser(self._store, walk, person, retention_seconds=self._retention).run()

    def _is_back(self, person: Person, began: int) -> bool:
        """Whether the person has a contact that is newer than an erasure (ms), or has written or was sent to since."""
        contacts = [self._store.keys.contact(c) for c in person.conversations]
        times = self._store.run([("HMGET", contact, "since", "last_in") for contact in contacts])
        return any(float(at or 0) > began for both in times for at in both) or self._was_sent_to(person, began)

    def _was_sent_to(self, person: Person, began: int) -> bool:
        """Whether a send to the person was requested since (ms): their contact may not be erased yet."""
        keys, seen = self._store.keys, 0
        wanted = ("c", "batch", "origin", "instead_of")  # an answer or a fallback belongs to what was there before
        while ids := self._store.do("ZRANGEBYSCORE", keys.sends, f"({began}", "+inf", "LIMIT", seen, PAGE):
            rows = self._store.run([("HMGET", keys.record(text(each)), *wanted) for each in ids])
            theirs = [batch for c, batch, *before in rows if person.has(text(c)) and not any(before)]
            # An item of a batch was requested with it, and gets its record when its turn comes.
            created = self._store.run([("HGET", keys.of("batch", text(batch)), "created") for batch in theirs if batch])
            if None in theirs or any(float(at or 0) > began for at in created):
                return True
            seen += len(ids)
        return False

    def _keep_stop(self, person: Person) -> None:
        """Keep the person's STOP under digests of their addresses."""
        keys, contacts = self._store.keys, sorted(person.conversations)
        names = ("stopped_at", "stopped_by", *(f"consent_{name}" for name in _STOP_FIELDS))
        choices = self._store.run([("HMGET", keys.contact(c), *names) for c in contacts])
        stops = [choice for choice in choices if choice[0]]
        if stops and self._digests is not None:
            last = max(stops, key=lambda choice: (int(choice[-1] or 0), int(choice[0])))
            stop = dict(zip(("at", "by", *_STOP_FIELDS), last, strict=True))
            facts = [part for name, value in stop.items() if value is not None for part in (name.encode(), value)]
            digests = self._digests.of(person.addresses)
            self._store.run([self._store.step("keep_stop", digest=digest, facts=facts) for digest in digests])


def _read(conversation: str, data: dict[str, str]) -> Contact:
    return Contact(
        conversation=conversation,
        number=conversation.split(":", 1)[0],
        name=data.get("name"),
        addresses=tuple(data.get("addresses", "").split()),
        last_in=_time(data, "last_in"),
        window_end=_time(data, "window_end"),
        paused_until=_time(data, "paused_until"),
        other_until=_time(data, "other_until"),
    )


def _time(data: dict[str, str], field: str) -> int | None:
    return int(float(data[field])) if field in data else None
