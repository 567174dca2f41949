"""A wall-clock limit on a block that uses the network.

The time-outs of `requests` restart with every byte, so a slow server could hold a caller for ever. A deadline ends the
whole block with `TimeoutError`. The default, `Watchdog`, closes the connection from another thread. Under gevent, a
cheaper one interrupts the greenlet (`resilience.deadline`).
"""

from __future__ import annotations

import threading
from collections.abc import Callable
from types import TracebackType
from typing import Protocol, Self, TypeAlias


class Deadline(Protocol):
    """A context manager whose block ends with `TimeoutError` after its time."""

    def __enter__(self) -> Deadline:
        """Start the timer."""
        ...

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None, /
    ) -> None:
        """Stop the timer; raise `TimeoutError` if it has expired."""
        ...

    def restart(self, seconds: float) -> None:
        """Restart the timer: the rest of the block has `seconds` from now."""
        ...


DeadlineFactory: TypeAlias = Callable[[float, Callable[[], None]], Deadline]
"""Creates the deadline of a block from its seconds and a function that closes the block's connection."""


class Watchdog:
    """Closes the connection of a block that takes too long, from a thread."""

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
        """Restart the timer: the rest of the block has `seconds` from now."""
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
        # Under the lock: once the block has ended, another one may use its connection.
        with self._mutex:
            if self._timer is not None and not self._is_over:
                self._is_over = True
                self._hang_up()
