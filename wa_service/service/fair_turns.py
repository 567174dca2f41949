"""Give other requests of the process their turn during a long piece of work."""

from __future__ import annotations

import time
from typing import Final

LONGEST_TURN: Final = 0.01
"""Seconds of work, after which others have their turn."""


class FairTurns:
    """Between the steps of a piece of work `give_way` is called; it lets others run where enough was done."""

    def __init__(self) -> None:
        self._since = time.monotonic()

    def give_way(self) -> None:
        """Let others run, where this has had its turn."""
        if time.monotonic() - self._since >= LONGEST_TURN:
            time.sleep(0)  # patched by gevent in a web process
            self._since = time.monotonic()
