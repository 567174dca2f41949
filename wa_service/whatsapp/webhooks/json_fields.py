"""Read fields of Meta's JSON, checking their types."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any, Final, TypeAlias

JsonObject: TypeAlias = Mapping[str, Any]
"""A JSON object of Meta's."""

FRAME_KEYS: Final = frozenset({"messaging_product", "metadata", "contacts"})
"""What a value has around its events (5.4)."""


class UnreadableError(Exception):
    """A field is missing or has the wrong type; the text is the reason."""


def text_of(body: JsonObject, key: str) -> str:
    """Return the string under `key`, "" if there is none."""
    value = body.get(key)
    return value if isinstance(value, str) else ""


def id_of(body: JsonObject, key: str) -> str:
    """Return the id under `key` as a string, "" if there is none; Meta writes ids as strings or integers (9.5)."""
    value = body.get(key)
    return value if isinstance(value, str) else str(value) if type(value) is int else ""


def items_of(found: object) -> list[Any]:
    """Return a list, or a single object as a list, as Meta writes some; [] for anything else."""
    return found if isinstance(found, list) else [found] if found and isinstance(found, dict) else []


def needed_text(body: JsonObject, key: str) -> str:
    """Return the string under `key`; raise `UnreadableError` if there is none."""
    value = body.get(key)
    if not isinstance(value, str):
        raise UnreadableError(f"{key} is not a text")
    return value


def needed_object(body: JsonObject, key: str) -> dict[str, Any]:
    """Return the object under `key`; raise `UnreadableError` if there is none."""
    value = body.get(key)
    if not isinstance(value, dict):
        raise UnreadableError(f"{key} is not an object")
    return value


def optional_object(body: JsonObject, key: str) -> dict[str, Any] | None:
    """Return the object under `key`, None if there is none."""
    value = body.get(key)
    return value if isinstance(value, dict) else None


def needed_number(body: JsonObject, key: str) -> float:
    """Return the finite number under `key`, also from a string; raise `UnreadableError` if there is none."""
    value = body.get(key)
    if isinstance(value, int | float | str) and not isinstance(value, bool):
        try:
            number = float(value)
        except (ValueError, OverflowError):
            number = math.nan
        if math.isfinite(number):
            return number
    raise UnreadableError(f"{key} is not a number")


def seconds_of(value: object) -> int:
    """Return Unix seconds from Meta's string or number (5.4), in seconds or milliseconds; else 0."""
    if isinstance(value, str):
        value = int(value) if value.isascii() and value.isdigit() and len(value) <= _MOST_DIGITS else None
    if not isinstance(value, int) or isinstance(value, bool) or not 0 <= value < 10**_MOST_DIGITS:
        return 0
    return value if value < _FIRST_IN_MS else value // 1000


_MOST_DIGITS: Final = 14
_FIRST_IN_MS: Final = 10**11
