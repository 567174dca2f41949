r"""Read legal JSON that orjson refuses: half of a surrogate pair (`"\ud800"`), a number beyond any float (`1e999`).

A customer may put the first into a message, and what stands beside it in the delivery must not be lost.
"""

from __future__ import annotations

import json
import math
import re
from typing import Any, Final, NoReturn

import orjson

_SURROGATE: Final = re.compile("[\ud800-\udfff]")


def loads(raw: bytes) -> Any:
    """Return the parsed value; half of a surrogate pair reads as U+FFFD, a number beyond any float as None.

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
        # Written and read once more, so that the result is what orjson would have returned.
        return orjson.loads(_SURROGATE.sub("\ufffd", json.dumps(parsed, ensure_ascii=False)))
    except RecursionError:
        raise ValueError("nested too deeply") from None


def _number(digits: str) -> int | float | None:
    number = float(digits)
    if not math.isfinite(number):
        return None
    return int(digits) if digits.lstrip("-").isdigit() else number


def _refuse_constant(_: str) -> NoReturn:
    """NaN and Infinity are no JSON, though Python reads them."""
    raise ValueError("not JSON")
