r"""Read valid JSON that orjson rejects: a lone surrogate (`"\ud800"`), a number beyond the float range (`1e999`).

A customer can put a lone surrogate into a message, and the rest of the delivery must not be lost.
"""

from __future__ import annotations

import json
import math
import re
from typing import Any, Final, NoReturn

import orjson

_SURROGATE: Final = re.compile("[\ud800-\udfff]")


def loads(raw: bytes) -> Any:
    """Return the parsed value, with U+FFFD for a lone surrogate and None for a number beyond the float range.

    Raises:
        ValueError: the bytes are not JSON, or nested too deeply.
    """
    try:
        return orjson.loads(raw)
    except orjson.JSONDecodeError:
        return _loads_slowly(raw)


def _loads_slowly(raw: bytes) -> Any:
    try:
        parsed = json.loads(raw.decode(), parse_int=_number, parse_float=_number, parse_constant=_refuse_constant)
        # Serialised and parsed again, so that the result is as from orjson.
        return orjson.loads(_SURROGATE.sub("\ufffd", json.dumps(parsed, ensure_ascii=False)))
    except RecursionError:
        raise ValueError("nested too deeply") from None


def _number(digits: str) -> int | float | None:
    number = float(digits)
    if not math.isfinite(number):
        return None
    return int(digits) if digits.lstrip("-").isdigit() else number


def _refuse_constant(_: str) -> NoReturn:
    """Reject NaN and Infinity, which Python reads although they are not JSON."""
    raise ValueError("not JSON")
