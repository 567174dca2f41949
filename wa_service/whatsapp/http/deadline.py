"""A wall-clock limit on a block that talks to the network.

The time-outs of `requests` start again with every byte, so a server that drips would hold a caller for ever. A deadline
ends the whole block with `TimeoutError`. The library's own, `Watchdog`, closes the connection from a thread beside the
caller. A program under gevent passes a cheaper one that interrupts the greenlet (`resilience.deadline`).
"""

from __future__ import annotations

import threading
from collections.abc import Callable
from types import TracebackType
from typing import Protocol, Self, TypeAlias


class Deadline(Protocol):
    """A context manager whose block ends with `TimeoutError` once the time is over."""

    def __enter__(self) -> Deadline:
        """Start the time."""
        ...

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None, /
    ) -> None:
        """Stop the time; raise `TimeoutError` where it was over."""
        ...

    def restart(self, seconds: float) -> None:
        """Give the rest of the block `seconds` from now, in place of what is left."""
        ...


DeadlineFactory: TypeAlias = Callable[[float, Callable[[], None]], Deadline]
"""Make the deadline of one block from its seconds and a function that closes the connection which the block uses."""


class Watchdog:
    """Close the connection of a block that lasts too long, from a thread."""

    def __init__(self, seconds: float, hang_up: Callable[[], None]) -> None:
        self._seconds = seconds
        self._hang_up = hang_up
        self._mutex = threading.Lock()
        self._timer: threading.Timer | None = None
        self._is_over = False

    def __enter__(self) -> Self:
        self.restart(self._seconds)
        return self

    def __exit__(self, *raised: object) -> None:
        self._stop()
        if self._is_over:
            raise TimeoutError("The deadline is over.") from None

    def restart(self, seconds: float) -> None:
        """Give the rest of the block `seconds` from now."""
        self._stop()
        timer = threading.Timer(max(0.0, seconds), self._end)
        timer.daemon = True
        with self._mutex:
            self._timer = timer
        timer.start()

    def _stop(self) -> None:
        with self._mutex:
            timer, self._timer = self._timer, None
        if timer is not None:
            timer.cancel()

    def _end(self) -> None:
        # Under the lock: a block that has ended may have given its connection to the next one.
        with self._mutex:
            if self._timer is not None and not self._is_over:
                self._is_over = True
                self._hang_up()
