"""Bound the size and nesting of Meta's objects before they are stored.

orjson reads 1,024 levels and writes 254; an object in between must not fail its whole delivery. Stored objects are
nested in others, in the store and in responses of the REST API, and those levels count as well.
"""

from __future__ import annotations

from typing import Any

import orjson

_SCALARS = (str, int, float, bool, type(None))

# More levels than surround an object anywhere: `{"items": [{"data": {"value": …` has four.
_ROOM = 8


def write(value: object) -> bytes:
    """Return a value as JSON that can be read and written again inside other objects.

    Raises:
        TypeError: it is nested too deeply, or is not JSON.
    """
    return orjson.dumps([[[[[[[[value]]]]]]]])[_ROOM:-_ROOM]


def fits(raw: object, most_bytes: int) -> bool:
    """Whether an object may be stored as it is."""
    try:
        return len(write(raw)) <= most_bytes
    except TypeError:
        return False


def bounded(raw: Any, most_bytes: int) -> Any:
    """The object, or only its top-level short values if it is larger than `most_bytes` or nested too deeply."""
    return raw if fits(raw, most_bytes) else shallow(raw, most_bytes)


def shallow(raw: Any, most_bytes: int = 4_096) -> dict[str, Any]:
    """An object's top-level short values."""
    kept: dict[str, Any] = {"left_out": True}
    if isinstance(raw, dict):
        kept |= {key: value for key, value in raw.items() if isinstance(value, _SCALARS) and len(str(value)) <= 256}
    return kept if fits(kept, most_bytes) else {"left_out": True}
