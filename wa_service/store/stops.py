"""STOP and START: from stop words, from Meta, from its refusal of a send, from REST or from an import."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Literal

import orjson

from wa_service.store.client import Store, text
from wa_service.store.flusher import Command
from wa_service.store.stop_digests import StopDigests
from wa_service.whatsapp.addresses import as_stored, spellings
from wa_service.whatsapp.webhooks.identity import Identity, identity_of_address

StopSource = Literal["words", "meta", "131050", "api", "import"]
_AT_ONCE = 100


@dataclass(frozen=True, slots=True)
class StopState:
    """Since when (ms since 1970) a customer wants no marketing, and the source of the STOP."""

    marketing: int
    by: str


@dataclass(frozen=True, slots=True)
class Stops:
    """STOPs of customers of `numbers`; a STOP to one number holds for all. Raises `StoreUnavailableError`."""

    store: Store
    digests: StopDigests
    numbers: Sequence[str]
    retention_seconds: int

    def commands(self, who: Identity, *, stop: bool, by: StopSource, at_ms: int = 0) -> list[Command]:
        """Return the commands, one for each number, that store a person's STOP or START; result: 1, or 0 for no change.

        `at_ms`: Meta's time (0: none; it holds from now on).
        """
        digests = self.digests.of((*who.numbers, *who.user_ids))
        argument = orjson.dumps(who.as_argument(0))
        return [
            self.store.step(
                "stop",
                number=number,
                who=argument,
                is_stop=int(stop),
                at=at_ms,
                by=by,
                retention=self.retention_seconds,
                digests=digests,
            )
            for number in self.numbers
        ]

    def apply(self, address: str, *, stop: bool, by: StopSource) -> bool:
        """Store a STOP or START for an address; return whether that changed anything."""
        commands = self.commands(identity_of_address(as_stored(address)), stop=stop, by=by)
        return any(self.store.run(commands, replicated=True))

    def add(self, addresses: Iterable[str]) -> None:
        """Stop all of these, in one round trip."""
        self.store.run(
            [
                command
                for address in addresses
                for command in self.commands(identity_of_address(address), stop=True, by="import")
            ],
            replicated=True,
        )

    def find(self, address: str) -> StopState | None:
        """Return the STOP of an address, None if there is none."""
        address = as_stored(address)
        keys = self.store.keys
        aliases = [keys.alias(number, spelling) for number in self.numbers for spelling in spellings(address)]
        known = {text(c) for c in self.store.run([("GET", alias) for alias in aliases]) if c}
        (digest,) = self.digests.of([address])
        found = self.store.call("find_stop", digest=digest, conversations=tuple(sorted(known)))
        return StopState(int(found[0]), text(found[1])) if found else None

    def write_digests(self) -> None:
        """Write the STOPs of contacts under digests of their addresses, to outlive the contacts; once a second."""
        self.digests.remember_key()
        unwritten = self.store.keys.of("stops_unwritten")
        for c in self.store.do("SRANDMEMBER", unwritten, _AT_ONCE):
            addresses = text(self.store.do("HGET", self.store.keys.contact(text(c)), "addresses"))
            self.store.call(
                "write_stops",
                conversation=text(c),
                addresses=addresses,
                digests=self.digests.of(addresses.split()),
            )
