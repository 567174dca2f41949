r"""Legal JSON that our quick reader refuses: half of a surrogate pair (`"\ud800"`), a number beyond any (`1e999`).

Whoever writes to us may put the first into a message, and what stands beside it in the delivery must not be lost.
"""

from __future__ import annotations

import json
import math
import re
from typing import Any, Final, NoReturn

import orjson

_HALF: Final = re.compile("[\ud800-\udfff]")


def loads(raw: bytes) -> Any:
    """What the bytes say; half a pair reads as U+FFFD, a number beyond any as None.

    Raises:
        ValueError: they are no JSON, or nested too deeply.
    """
    try:
        return orjson.loads(raw)
    except orjson.JSONDecodeError:
        return _slowly(raw)


def _slowly(raw: bytes) -> Any:
    try:
        read = json.loads(raw.decode(), parse_int=_number, parse_float=_number, parse_constant=_refuse)
        # Written and read once more, so that it is what the quick reader would have made of it.
        return orjson.loads(_HALF.sub("\ufffd", json.dumps(read, ensure_ascii=False)))
    except RecursionError:
        raise ValueError from None


def _number(digits: str) -> int | float | None:
    number = float(digits)
    if not math.isfinite(number):
        return None
    return int(digits) if digits.lstrip("-").isdigit() else number


def _refuse(_: str) -> NoReturn:
    """NaN and Infinity are no JSON, though Python reads them."""
    raise ValueError
