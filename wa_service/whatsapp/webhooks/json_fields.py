"""Read a field of Meta's JSON without trusting its type."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any, Final, TypeAlias

JsonObject: TypeAlias = Mapping[str, Any]
"""A JSON object of Meta's."""


class UnreadableError(Exception):
    """A field is missing or of another type than the reference says; its text is the reason."""


def text_of(body: JsonObject, key: str) -> str:
    """The text under `key`, "" where there is none."""
    value = body.get(key)
    return value if isinstance(value, str) else ""


def id_of(body: JsonObject, key: str) -> str:
    """The id under `key`, a text or a whole number, as a text; "" where there is none."""
    value = body.get(key)
    return str(value) if isinstance(value, str | int) and not isinstance(value, bool) else ""


def needed_text(body: JsonObject, key: str) -> str:
    """The text under `key`; raises `UnreadableError` where there is none."""
    value = body.get(key)
    if not isinstance(value, str):
        raise UnreadableError(f"{key} is not a text")
    return value


def needed_object(body: JsonObject, key: str) -> dict[str, Any]:
    """The object under `key`; raises `UnreadableError` where there is none."""
    value = body.get(key)
    if not isinstance(value, dict):
        raise UnreadableError(f"{key} is not an object")
    return value


def optional_object(body: JsonObject, key: str) -> dict[str, Any] | None:
    """The object under `key`, None where there is none."""
    value = body.get(key)
    return value if isinstance(value, dict) else None


def needed_number(body: JsonObject, key: str) -> float:
    """The finite number under `key`, also from a numeric text; raises `UnreadableError` where none."""
    value = body.get(key)
    if isinstance(value, int | float | str) and not isinstance(value, bool):
        try:
            number = float(value)
        except (ValueError, OverflowError):
            number = math.nan
        if math.isfinite(number):
            return number
    raise UnreadableError(f"{key} is not a number")


def whole_of(body: JsonObject, key: str) -> int:
    """The whole number under `key`, 0 where there is none."""
    value = body.get(key)
    return value if isinstance(value, int) and not isinstance(value, bool) else 0


def seconds_of(value: object) -> int:
    """Unix seconds from Meta's text or number (5.4), or from milliseconds; 0 where it is neither."""
    if isinstance(value, str):
        value = int(value) if value.isascii() and value.isdigit() and len(value) <= _MOST_DIGITS else None
    if not isinstance(value, int) or isinstance(value, bool) or not 0 <= value < 10**_MOST_DIGITS:
        return 0
    return value if value < _FIRST_IN_MS else value // 1000


_MOST_DIGITS: Final = 14
_FIRST_IN_MS: Final = 10**11
