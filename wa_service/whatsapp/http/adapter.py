"""A `requests` adapter with urllib3 pools whose connections track how far a request got.

It sends by urllib3's public `urlopen`, without cookies, redirects and encoding detection, which `requests` would add.
"""

from __future__ import annotations

import contextlib
import socket
import time
from collections.abc import Callable, Iterator
from contextvars import ContextVar, Token
from functools import partial
from typing import Any, Final, Self, cast

from requests import Response
from requests.adapters import HTTPAdapter
from urllib3 import HTTPConnectionPool, HTTPSConnectionPool, PoolManager, Retry, Timeout
from urllib3.connection import HTTPConnection, HTTPSConnection
from urllib3.response import HTTPResponse

MAX_IDLE_SECONDS: Final = 20.0
"""A connection that was idle for longer may be half closed: a POST on it could end with an unknown outcome."""

WRITE_SECONDS: Final = 30.0
"""How long writing one piece of a body may take."""

_MAX_POOLS: Final = 32


class Exchange:
    """Tracks one request and its answer: the connections used in the block report to it.

    `connect_failed`: no byte of the request was written, so it is safe to repeat. The raised exception does not tell
    this: its chain may hold an earlier exchange, and its class is the same for a handshake and for what follows.
    """

    __slots__ = ("_connection", "_is_hung_up", "_sock", "_token", "connect_failed")

    def __init__(self) -> None:
        self.connect_failed = False
        self._connection: HTTPConnection | None = None
        self._sock: Any = None
        self._is_hung_up = False

    def __enter__(self) -> Self:
        self._token: Token[Exchange | None] = _current.set(self)
        return self

    def __exit__(self, *_: object) -> None:
        _current.reset(self._token)

    def hang_up(self) -> None:
        """Shut the connection down, so that a blocked reader or writer ends at once. Thread-safe."""
        self._is_hung_up = True
        sock = self._sock or (self._connection.sock if self._connection else None)
        if isinstance(sock, socket.socket):
            with contextlib.suppress(OSError):
                socket.socket.shutdown(sock, socket.SHUT_RDWR)  # below TLS, whose own `shutdown` drops its keys

    def connecting(self, connection: HTTPConnection) -> None:
        """Record that `connection` is about to connect."""
        self._connection, self._sock = connection, None
        self.connect_failed = True

    def connected(self) -> None:
        """Record that the connection is open; raise TimeoutError if `hang_up` was called meanwhile."""
        if self._is_hung_up:
            raise TimeoutError
        self.connect_failed = False

    def awaiting_answer(self, connection: HTTPConnection) -> None:
        """Record the connection and its socket, which it may release before the body is read."""
        self._connection, self._sock = connection, connection.sock


_current: ContextVar[Exchange | None] = ContextVar("exchange", default=None)
_before_bytes: ContextVar[Callable[[], None] | None] = ContextVar("before_bytes", default=None)


@contextlib.contextmanager
def before_bytes(callback: Callable[[], None]) -> Iterator[None]:
    """Call `callback` right before each piece of a request in the block is written."""
    token = _before_bytes.set(callback)
    try:
        yield
    finally:
        _before_bytes.reset(token)


class _WatchedMixin(HTTPConnection):
    """A connection that reports its progress to the exchange, and is not reused after `max_idle` idle seconds."""

    def __init__(self, *args: Any, max_idle: float, **options: Any) -> None:
        super().__init__(*args, **options)
        self._max_idle = max_idle
        self._last_used = time.monotonic()

    @property
    def is_connected(self) -> bool:
        """Whether it may be reused: it was idle only briefly, and the peer neither closed it nor sent anything.

        It peeks at the socket, since urllib3's poll costs a turn of the event loop under gevent.
        """
        if time.monotonic() - self._last_used > self._max_idle:
            return False
        if not isinstance(self.sock, socket.socket):
            return super().is_connected
        before = self.sock.gettimeout()
        self.sock.settimeout(0)
        try:
            # Not TLS's own `recv`, which cannot peek: any data is either the end or an unexpected answer.
            socket.socket.recv(self.sock, 1, socket.MSG_PEEK)
        except (BlockingIOError, InterruptedError):
            return True
        except OSError:
            return False
        finally:
            self.sock.settimeout(before)
        return False

    def connect(self) -> None:
        exchange = _current.get() or Exchange()
        exchange.connecting(self)
        super().connect()
        exchange.connected()
        self.sock.settimeout(WRITE_SECONDS)  # else the connect time-out would apply to the body

    def send(self, data: Any) -> None:
        """Write a piece of a request. It connects before `callback`, which then tells that bytes may be sent."""
        if self.sock is None:
            self.connect()
        if callback := _before_bytes.get():
            callback()
        super().send(data)

    def getresponse(self) -> HTTPResponse:  # type: ignore[override]  # as in urllib3
        (_current.get() or Exchange()).awaiting_answer(self)
        try:
            return super().getresponse()
        finally:
            self._last_used = time.monotonic()


class _Connection(_WatchedMixin, HTTPConnection):
    """Plain HTTP."""


class _SecureConnection(_WatchedMixin, HTTPSConnection):
    """HTTP over TLS."""


class _Pool(HTTPConnectionPool):
    def __init__(self, *args: Any, max_idle: float, **options: Any) -> None:
        super().__init__(*args, **options)
        self.ConnectionCls = partial(_Connection, max_idle=max_idle)  # type: ignore[assignment]  # it is only called


class _SecurePool(HTTPSConnectionPool):
    def __init__(self, *args: Any, max_idle: float, **options: Any) -> None:
        super().__init__(*args, **options)
        self.ConnectionCls = partial(_SecureConnection, max_idle=max_idle)  # type: ignore[assignment]  # as above


class WatchedAdapter(HTTPAdapter):
    """The `requests` adapter with watched connections. It raises urllib3's exceptions, not those of `requests`."""

    def __init__(self, *, pool_size: int, retries: Retry, max_idle: float = MAX_IDLE_SECONDS) -> None:
        self._max_idle = max_idle
        self._pools: dict[tuple[str, Any], HTTPConnectionPool] = {}
        super().__init__(pool_connections=8, pool_maxsize=pool_size, max_retries=retries)

    def init_poolmanager(self, *args: Any, **kwargs: Any) -> None:
        """Create the pool manager with our pools."""
        super().init_poolmanager(*args, **kwargs)
        self._use_our_pools(self.poolmanager)

    def proxy_manager_for(self, proxy: str, **kwargs: Any) -> Any:
        """Create a proxy's pool manager with our pools."""
        manager = super().proxy_manager_for(proxy, **kwargs)
        self._use_our_pools(manager)
        return manager

    def send(
        self,
        request: Any,
        stream: bool = False,
        timeout: Any = None,
        verify: Any = True,
        cert: Any = None,
        proxies: Any = None,
    ) -> Response:
        """Send a request and return the answer with its body unread; `timeout` is a pair of seconds."""
        del stream
        exchange = _current.get() or Exchange()
        exchange.connect_failed = True  # also if there is no pool: of a CA bundle or proxy that cannot be used
        pool = self.get_connection_with_tls_context(request, verify, proxies=proxies, cert=cert)
        exchange.connect_failed = False
        connect_seconds, read_seconds = timeout
        answer = pool.urlopen(
            request.method,
            self.request_url(request, proxies),
            body=request.body,
            headers=request.headers,
            retries=self.max_retries,
            redirect=False,
            assert_same_host=False,
            timeout=Timeout(connect=connect_seconds, read=read_seconds),
            chunked=not (request.body is None or "Content-Length" in request.headers),
            preload_content=False,
            decode_content=False,
        )
        return self.build_response(request, answer)

    def get_connection_with_tls_context(
        self, request: Any, verify: Any, proxies: Any = None, cert: Any = None
    ) -> HTTPConnectionPool:
        """Return the pool for a request's host, cached, since `requests` would look it up each time."""
        if proxies or cert is not None:
            return self._looked_up_pool(request, verify, proxies, cert)
        url = str(request.url)
        key = (url[: url.find("/", len("https://"))], verify)
        pool = self._pools.get(key)
        if pool is None or pool.pool is None:  # the manager closes pools that were not used for long
            pool = self._looked_up_pool(request, verify, None, None)
            if len(self._pools) >= _MAX_POOLS:
                self._pools.clear()
            self._pools[key] = pool
        return pool

    def _looked_up_pool(self, request: Any, verify: Any, proxies: Any, cert: Any) -> HTTPConnectionPool:
        pool = cast(HTTPConnectionPool, super().get_connection_with_tls_context(request, verify, proxies, cert))
        self.cert_verify(pool, str(request.url), verify, cert)  # type: ignore[no-untyped-call]  # requests has no type here
        return pool

    def close(self) -> None:
        """Close the pooled connections, also those of our cached pools, which urllib3 would keep open."""
        for pool in self._pools.values():
            pool.close()
        self._pools.clear()
        super().close()

    def request_url(self, request: Any, proxies: Any) -> str:
        """Return the request's target: path and query, or the whole URL for a forwarding proxy."""
        return super().request_url(request, proxies) if proxies else str(request.path_url)

    def build_response(self, req: Any, resp: Any) -> Response:
        """Return a `requests` response with urllib3's own headers and without what is not used here.

        Cookies are not stored; bodies are read as bytes, so no encoding is detected.
        """
        response = Response()
        response.status_code = resp.status
        response.headers = resp.headers
        response.raw = resp
        response.reason = resp.reason
        response.url = req.url
        response.request = req
        response.connection = self
        return response

    def _use_our_pools(self, manager: PoolManager) -> None:
        pools: dict[str, Any] = {
            "http": partial(_Pool, max_idle=self._max_idle),
            "https": partial(_SecurePool, max_idle=self._max_idle),
        }
        manager.pool_classes_by_scheme = pools
