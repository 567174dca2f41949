"""Import of STOPs: one address a line; valid ones are stored, the others are reported."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final

import orjson

from wa_service.service.fair_turns import FairTurns
from wa_service.store.stops import Stops
from wa_service.whatsapp.addresses import as_stored, is_user_id
from wa_service.whatsapp.phone_numbers import is_number

MOST_LINES: Final = 10_000
_AT_ONCE: Final = 128


@dataclass(frozen=True, slots=True)
class StopImport:
    """How many addresses were stored, and the lines (from 0) that were refused, each with a sentence."""

    taken: int
    refused: tuple[tuple[int, str], ...]


def import_stops(stops: Stops, lines: Iterable[bytes]) -> StopImport:
    """Store a STOP for each line: `{"to": "<address>"}`, or the address as a JSON string; empty lines are skipped.

    Raises:
        StoreUnavailableError: some may be stored; it is safe to repeat the whole import.
    """
    good: list[str] = []
    refused: list[tuple[int, str]] = []
    turns = FairTurns()
    for index, line in enumerate(lines):
        turns.give_way()
        if not line.strip():
            continue
        address = _address(line)
        if address is None:
            refused.append((index, "This must be a phone number with its country code, or a user id."))
        else:
            good.append(address)
    for start in range(0, len(good), _AT_ONCE):
        stops.add(good[start : start + _AT_ONCE])
    return StopImport(len(good), tuple(refused))


def _address(line: bytes) -> str | None:
    try:
        given = orjson.loads(line)
    except orjson.JSONDecodeError:
        return None
    value = given.get("to") if isinstance(given, dict) else given
    address = as_stored(value) if isinstance(value, str) else ""
    return address if is_number(address) or is_user_id(address) else None
