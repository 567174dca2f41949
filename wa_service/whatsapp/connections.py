"""How sockets to Meta behave: a wall-clock deadline, no stale connection, and knowing what never left.

`requests`' time-outs are per read, so a server that drips a byte a second holds a caller for ever. Here every read of
headers and body gets only the time that is left until the deadline of the call.
"""

import contextlib
import io
import time
from collections.abc import Iterator
from contextvars import ContextVar
from functools import partial
from typing import Any, Final

from requests.adapters import HTTPAdapter
from urllib3 import HTTPConnectionPool, HTTPSConnectionPool, PoolManager, Retry
from urllib3.connection import HTTPConnection, HTTPSConnection
from urllib3.response import HTTPResponse

MAX_IDLE_SECONDS: Final = 20.0
"""A connection that idled longer may be half closed: a POST on it could end as an unknown outcome."""

_WRITE_SECONDS: Final = 30.0

_deadline: ContextVar[float | None] = ContextVar("deadline", default=None)


def within(seconds: float) -> contextlib.AbstractContextManager[None]:
    """Let every read in the block end `seconds` from now; an outer, earlier deadline stays in force."""
    return until(time.monotonic() + seconds)


@contextlib.contextmanager
def until(ends: float) -> Iterator[None]:
    """As `within`, for a moment of `time.monotonic`."""
    outer = _deadline.get()
    token = _deadline.set(ends if outer is None else min(ends, outer))
    try:
        yield
    finally:
        _deadline.reset(token)


def time_left() -> float | None:
    """Seconds until the deadline of this block, None outside; raises TimeoutError once it is over."""
    ends = _deadline.get()
    if ends is None:
        return None
    left = ends - time.monotonic()
    if left <= 0:
        raise TimeoutError("The deadline is over.")
    return left


class Attempt:
    """What is known of one exchange: `connect_failed` says that not a byte of the request was written."""

    __slots__ = ("connect_failed",)

    def __init__(self) -> None:
        self.connect_failed = False


_attempt: ContextVar[Attempt | None] = ContextVar("attempt", default=None)


@contextlib.contextmanager
def attempt() -> Iterator[Attempt]:
    """Watch the connections that are used in the block.

    Nothing is read from the exception or its chain: inside the handling of an earlier error that chain is longer than
    this exchange, and a message that had left would look as if it had not.
    """
    watched = Attempt()
    token = _attempt.set(watched)
    try:
        yield watched
    finally:
        _attempt.reset(token)


class _DeadlineReader(io.RawIOBase):
    """The socket's reader, given only the time that is left for each read."""

    def __init__(self, inner: Any, sock: Any) -> None:
        self._inner = inner
        self._sock = sock

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any, /) -> int | None:
        left = time_left()
        if left is not None:
            # A shorter time-out per read stays in force; only the deadline may cut it.
            current = self._sock.gettimeout()
            self._sock.settimeout(left if current is None else min(left, current))
        count: int | None = self._inner.readinto(buffer)
        return count

    def close(self) -> None:
        if not self.closed:
            self._inner.close()
        super().close()


class _DeadlineSocket:
    """A socket whose `makefile` reads within the deadline; everything else is the socket's own."""

    def __init__(self, sock: Any) -> None:
        self._sock = sock

    def makefile(self, mode: str, *args: Any, **kwargs: Any) -> io.BufferedReader:
        del args, kwargs
        return io.BufferedReader(_DeadlineReader(self._sock.makefile(mode, buffering=0), self._sock))

    def __getattr__(self, name: str) -> Any:
        return getattr(self._sock, name)


class _WatchedMixin(HTTPConnection):
    """Connects and reads within the deadline; tells the attempt when connecting failed."""

    idle_since: float | None = None

    def connect(self) -> None:
        watched = _attempt.get() or Attempt()
        watched.connect_failed = True
        left = time_left()
        if left is not None and isinstance(self.timeout, int | float):
            self.timeout = min(self.timeout, left)
        super().connect()
        watched.connect_failed = False

    def _tunnel(self) -> None:
        with self._bounded_reads():
            super()._tunnel()

    def getresponse(self) -> HTTPResponse:  # type: ignore[override]  # as in urllib3
        with self._bounded_reads():
            return super().getresponse()

    @contextlib.contextmanager
    def _bounded_reads(self) -> Iterator[None]:
        sock = self.sock
        if sock is None or _deadline.get() is None:
            yield
            return
        self.sock = _DeadlineSocket(sock)
        try:
            yield
        finally:
            # What was read may have closed the connection, which has then let go of the socket.
            if self.sock is not None:
                self.sock = sock


class _Connection(_WatchedMixin, HTTPConnection):
    """Plain HTTP."""


class _SecureConnection(_WatchedMixin, HTTPSConnection):
    """HTTP over TLS."""


class _FreshMixin(HTTPConnectionPool):
    """Hands out no connection that idled too long."""

    def __init__(self, *args: Any, max_idle: float, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._max_idle = max_idle

    def _get_conn(self, timeout: float | None = None) -> Any:
        connection: Any = super()._get_conn(timeout)
        since = getattr(connection, "idle_since", None)
        if since is not None and time.monotonic() - since > self._max_idle:
            connection.close()  # it connects again when it is used
        if connection.sock is not None:
            # The last call's deadline may have left only an instant for each write.
            connection.sock.settimeout(_WRITE_SECONDS)
        return connection

    def _put_conn(self, conn: Any) -> None:
        if conn is not None:
            conn.idle_since = time.monotonic()
        super()._put_conn(conn)


class _Pool(_FreshMixin, HTTPConnectionPool):
    ConnectionCls = _Connection


class _SecurePool(_FreshMixin, HTTPSConnectionPool):
    ConnectionCls = _SecureConnection


class MetaAdapter(HTTPAdapter):
    """The `requests` adapter whose connections behave as this module says."""

    def __init__(self, *, pool_size: int, retries: Retry, max_idle: float = MAX_IDLE_SECONDS) -> None:
        self._max_idle = max_idle
        super().__init__(pool_connections=8, pool_maxsize=pool_size, max_retries=retries)

    def init_poolmanager(self, *args: Any, **kwargs: Any) -> None:
        """Make the pool manager with our pools."""
        super().init_poolmanager(*args, **kwargs)
        self._use_our_pools(self.poolmanager)

    def proxy_manager_for(self, proxy: str, **kwargs: Any) -> Any:
        """Make the manager of one proxy with our pools."""
        manager = super().proxy_manager_for(proxy, **kwargs)
        self._use_our_pools(manager)
        return manager

    def _use_our_pools(self, manager: PoolManager) -> None:
        pools: dict[str, Any] = {
            "http": partial(_Pool, max_idle=self._max_idle),
            "https": partial(_SecurePool, max_idle=self._max_idle),
        }
        manager.pool_classes_by_scheme = pools
