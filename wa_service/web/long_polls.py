"""Limit concurrent long polls: each holds one of the process's connections."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final

from wa_service.web.problems import TOO_MANY_CALLS, ProblemError

MOST_OF_A_KEY: Final = 20
MOST_OF_A_PROCESS: Final = 100


class LongPolls:
    """Counts the open long polls of one process, by API key."""

    def __init__(self) -> None:
        self._open: Counter[str] = Counter()

    @contextmanager
    def hold(self, key_name: str) -> Iterator[None]:
        """Count a poll as open while it waits.

        Raises:
            ProblemError: the key, or the process, has too many open.
        """
        if self._open[key_name] >= MOST_OF_A_KEY or self._open.total() >= MOST_OF_A_PROCESS:
            sentence = f"An API key may have at most {MOST_OF_A_KEY} open long polls."
            raise ProblemError(TOO_MANY_CALLS, sentence, retry_after=1.0)
        self._open[key_name] += 1
        try:
            yield
        finally:
            self._open[key_name] -= 1
            if not self._open[key_name]:
                del self._open[key_name]
