"""Wait for a condition with a timeout, instead of sleeping."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from typing import TypeVar

T = TypeVar("T")

_pause = threading.Event()


def eventually(condition: Callable[[], T], *, within: float = 5.0, every: float = 0.01) -> T:
    """Return the first truthy value of `condition`; fail with its last value after `within` seconds."""
    until = time.monotonic() + within
    while True:
        value = condition()
        if value:
            return value
        if time.monotonic() > until:
            raise AssertionError(f"not within {within} s: {condition} is {value!r}")
        _pause.wait(every)
