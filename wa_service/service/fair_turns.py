"""Yield to other requests of the process during long work."""

from __future__ import annotations

import time
from typing import Final

LONGEST_TURN: Final = 0.01
"""Seconds of work after which to yield."""


class FairTurns:
    """Call `give_way` between the steps of long work; it yields when the turn is over."""

    def __init__(self) -> None:
        self._since = time.monotonic()

    def give_way(self) -> None:
        """Yield to other greenlets if the turn is over."""
        if time.monotonic() - self._since >= LONGEST_TURN:
            time.sleep(0)  # patched by gevent in a web process
            self._since = time.monotonic()
