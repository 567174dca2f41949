"""Whether the store's server is known to be unavailable, and a probe that detects when it is back.

"Back" means that the server says that it is a primary and takes a write: PING also succeeds on a demoted primary, and
on one without its replicas.
"""

from __future__ import annotations

import threading
import time
from typing import Any

import redis
from hiredis import pack_command
from redis.exceptions import ResponseError

from wa_service.observability import log

PROBE_SECONDS = 0.2
_ROLE = pack_command(("ROLE",))
# Needs no memory, so that a full server counts as available.
_WRITE = "EXPIRE"


class Availability:
    """The availability of one server, for all its clients in a process; thread and greenlet safe.

    `key`: for the probe's write, in the slot of the store's keys.
    """

    def __init__(self, pool: Any, key: str, *, probe_seconds: float = PROBE_SECONDS) -> None:
        self._pool = pool
        self._write = pack_command((_WRITE, key, 86_400))  # type: ignore[arg-type]  # its stub says a 1-tuple
        self._probe_seconds = probe_seconds
        self._mutex = threading.Lock()
        self._unavailable = False
        self._answered_at = float("-inf")
        self._closed = False

    @property
    def unavailable(self) -> bool:
        """Whether the server is known to be unavailable, so that every call fails at once."""
        return self._unavailable

    def note_answer(self) -> None:
        """Note that the server has just answered."""
        self._answered_at = time.monotonic()

    def answered_within(self, seconds: float) -> bool:
        """Whether the server has answered within the last `seconds`."""
        return time.monotonic() - self._answered_at < seconds

    def mark_unavailable(self) -> None:
        """Let every call fail at once until the server is back."""
        with self._mutex:
            if self._unavailable or self._closed:
                return
            self._unavailable = True
        threading.Thread(target=self._probe, name="store-probe", daemon=True).start()

    def wait_until_back(self, seconds: float) -> bool:
        """Wait until the server is back, at most `seconds`; return whether it is."""
        until = time.monotonic() + seconds
        while self._unavailable and not self._closed and time.monotonic() < until:
            time.sleep(self._probe_seconds / 4)
        return not self._unavailable

    def close(self) -> None:
        """Stop probing."""
        self._closed = True

    def _probe(self) -> None:
        has_told = False
        while not self._closed:
            time.sleep(self._probe_seconds)
            connection: Any = None
            try:
                # Not from the pool, which counts every connection that it creates and would be exhausted by probes.
                connection = self._pool.connection_class(**self._pool.connection_kwargs)
                connection.connect()
                connection.send_packed_command([_ROLE + self._write])
                if self._is_primary(connection):
                    connection.read_response()
                    self._unavailable = False
                    return
            except (redis.RedisError, OSError):
                continue
            except Exception as error:  # noqa: BLE001 - without a probe, the store would be unavailable for ever
                if not has_told:
                    has_told = True
                    log.get_logger().error("whatsapp.store.probe_failed", exc_info=error)
            finally:
                if connection is not None:
                    connection.disconnect()

    @staticmethod
    def _is_primary(connection: Any) -> bool:
        try:
            role = connection.read_response()
        except ResponseError:  # a managed server may not allow ROLE: the write decides
            return True
        return bool(role[0] == b"master")
