"""Whether the store's server is known to be unavailable, and a probe that finds out when it is back.

"Back" means that the server says that it is a primary and takes a write: a primary that was demoted answers PING, and
so does one that its replicas have left.
"""

from __future__ import annotations

import threading
import time
from typing import Any

import redis
from hiredis import pack_command
from redis.exceptions import ResponseError

PROBE_SECONDS = 0.2
_ROLE = pack_command(("ROLE",))
# Needs no memory, so that a server which is full counts as there.
_WRITE = "EXPIRE"


class Availability:
    """Shared by all that talk to one server; thread and greenlet safe.

    `key`: one in whose slot the store's keys are; the probe's write names it.
    """

    def __init__(self, pool: Any, key: str, *, probe_seconds: float = PROBE_SECONDS) -> None:
        self._pool = pool
        self._write = pack_command((_WRITE, key, 86_400))  # type: ignore[arg-type]  # its stub means one
        self._probe_seconds = probe_seconds
        self._mutex = threading.Lock()
        self._unavailable = False
        self._answered_at = float("-inf")
        self._closed = False

    @property
    def unavailable(self) -> bool:
        """Whether the server is known to be unavailable; then every call fails at once."""
        return self._unavailable

    def note_answer(self) -> None:
        """Take note that the server answered just now."""
        self._answered_at = time.monotonic()

    def answered_within(self, seconds: float) -> bool:
        """Whether the server has answered within so many seconds."""
        return time.monotonic() - self._answered_at < seconds

    def mark_unavailable(self) -> None:
        """Let every call fail at once from now on, until the server is back."""
        with self._mutex:
            if self._unavailable or self._closed:
                return
            self._unavailable = True
        threading.Thread(target=self._probe, name="store-probe", daemon=True).start()

    def wait_until_back(self, seconds: float) -> bool:
        """Wait until the server is no longer known to be unavailable, at most `seconds`; return whether it is back."""
        until = time.monotonic() + seconds
        while self._unavailable and not self._closed and time.monotonic() < until:
            time.sleep(self._probe_seconds / 4)
        return not self._unavailable

    def close(self) -> None:
        """Look no more."""
        self._closed = True

    def _probe(self) -> None:
        while not self._closed:
            time.sleep(self._probe_seconds)
            connection: Any = None
            try:
                # Not the pool's own: the pool counts what it makes for ever, so that after 128 probes there was no
                # connection left to find out with that the server is back.
                connection = self._pool.connection_class(**self._pool.connection_kwargs)
                connection.connect()
                connection.send_packed_command([_ROLE + self._write])
                if self._is_primary(connection):
                    connection.read_response()
                    self._unavailable = False
                    return
            except (redis.RedisError, OSError):
                continue
            finally:
                if connection is not None:
                    connection.disconnect()

    @staticmethod
    def _is_primary(connection: Any) -> bool:
        try:
            role = connection.read_response()
        except ResponseError:  # a managed server may keep its role to itself: the write decides
            return True
        return bool(role[0] == b"master")
