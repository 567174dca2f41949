"""The deadline of a block under gevent, which interrupts the greenlet whatever it waits for."""

from __future__ import annotations

from collections.abc import Callable
from typing import Self

import gevent


class GreenletDeadline:
    """Ends a block with `TimeoutError` after some seconds; a `DeadlineFactory` of `whatsapp.http.deadline`.

    `gevent.Timeout` is not an `Exception`, so no library handles it and continues (urllib3 would try the host's next
    address).
    """

    def __init__(self, seconds: float, hang_up: Callable[[], None]) -> None:
        del hang_up  # urllib3 closes the connection of an interrupted request
        self._timer = gevent.Timeout(max(0.0, seconds))

    def __enter__(self) -> Self:
        self._timer.start()
        return self

    def __exit__(self, kind: object, error: BaseException | None, traceback: object) -> None:
        self._timer.close()
        if error is self._timer:
            raise TimeoutError("The deadline is over.") from None

    def restart(self, seconds: float) -> None:
        """Restart the timer: the rest of the block has `seconds` from now."""
        self._timer.close()
        self._timer = gevent.Timeout.start_new(max(0.0, seconds))
