"""Waits on a list: BLPOP over kept connections.

Taking a connection out of redis-py's pool and giving it back for each wait cost more than the wait: 169 us of CPU
under gevent, of which 95 us to look whether the connection had been dropped.
"""

from __future__ import annotations

import time
from typing import Any

FRESH_SECONDS = 1.0
"""A kept connection that was used within this time is taken for open; after it, one looks."""


class BlockingPops:
    """Pops from lists, waiting; thread and greenlet safe. A connection serves one wait at a time."""

    def __init__(self, pool: Any) -> None:
        self._pool = pool
        self._kept: list[tuple[Any, float]] = []

    def pop(self, key: str, seconds: float) -> bytes | None:
        """The popped element, None when the time is over. Raises what redis-py raises."""
        connection = self._connection()
        try:
            connection.send_command("BLPOP", key, seconds)
            popped = connection.read_response()
        except BaseException:  # killed, too: an answer that still comes belongs to nobody
            connection.disconnect()
            self._pool.release(connection)
            raise
        self._kept.append((connection, time.monotonic()))
        return popped[1] if popped else None

    def close(self) -> None:
        """Lets the connections go."""
        while self._kept:
            connection, _ = self._kept.pop()
            connection.disconnect()
            self._pool.release(connection)

    def _connection(self) -> Any:
        try:
            connection, since = self._kept.pop()
        except IndexError:
            return self._pool.get_connection()
        if time.monotonic() - since < FRESH_SECONDS:
            return connection
        # The server may have dropped it since: the pool looks.
        self._pool.release(connection)
        return self._pool.get_connection()
