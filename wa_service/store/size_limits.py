"""What Meta sends, cut down to what may be kept: not too large, and not nested deeper than our writers write.

(orjson reads 1,024 levels and writes 254; an object in between must not stop the delivery it came in.) What is kept
stands inside other objects, in the store and in an answer of the REST API, and those levels count, too.
"""

from __future__ import annotations

from typing import Any

import orjson

_SCALARS = (str, int, float, bool, type(None))

# More than there are around it anywhere: `{"items": [{"data": {"value": …`, say, is four.
_ROOM = 8


def write(value: object) -> bytes:
    """A value as JSON that can be read, and written once more inside what stands around it.

    Raises:
        TypeError: it is nested too deeply, or holds what is no JSON.
    """
    return orjson.dumps([[[[[[[[value]]]]]]]])[_ROOM:-_ROOM]


def fits(raw: object, most_bytes: int) -> bool:
    """Whether an object may be kept as it is."""
    try:
        return len(write(raw)) <= most_bytes
    except TypeError:
        return False


def bounded(raw: Any, most_bytes: int) -> Any:
    """The object, or only what stands at its top where it is larger than `most_bytes` or nested too deeply."""
    return raw if fits(raw, most_bytes) else shallow(raw, most_bytes)


def shallow(raw: Any, most_bytes: int = 4_096) -> dict[str, Any]:
    """An object's own short values, without what is nested in it."""
    kept: dict[str, Any] = {"left_out": True}
    if isinstance(raw, dict):
        kept |= {key: value for key, value in raw.items() if isinstance(value, _SCALARS) and len(str(value)) <= 256}
    return kept if fits(kept, most_bytes) else {"left_out": True}
