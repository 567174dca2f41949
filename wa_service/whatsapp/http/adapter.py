"""How connections to Meta behave: no stale one is used, reads end at the deadline, and one knows what never left."""

import contextlib
import socket
import time
from contextvars import ContextVar, Token
from functools import partial
from typing import Any, Final, Self, cast

from requests import Response
from requests.adapters import HTTPAdapter
from urllib3 import HTTPConnectionPool, HTTPSConnectionPool, PoolManager, Retry
from urllib3.connection import HTTPConnection, HTTPSConnection
from urllib3.response import HTTPResponse

from wa_service.whatsapp.http.deadline import DeadlineSocket, is_bounded, shorten, time_left
from wa_service.whatsapp.http.exchange import WRITE_SECONDS, exchange

MAX_IDLE_SECONDS: Final = 20.0
"""A connection that idled longer may be half closed: a POST on it could end as an unknown outcome."""

_MOST_POOLS: Final = 32


class attempt:  # noqa: N801 - used like a function
    """Watch the connections that are used in the block: what is known of one exchange.

    `connect_failed` says that not a byte of the request was written. Nothing is read from the exception or its chain:
    inside the handling of an earlier error that chain is longer than this exchange, and a message that had left would
    look as if it had not.

    `answer_seconds`: what the answer may take once a body in pieces is out, however much time that left.
    """

    __slots__ = ("_answer_seconds", "_token", "connect_failed")

    def __init__(self, answer_seconds: float | None = None) -> None:
        self._answer_seconds = answer_seconds
        self.connect_failed = False

    def body_is_out(self) -> None:
        """From now on the answer is waited for."""
        if self._answer_seconds is not None:
            shorten(self._answer_seconds)

    def __enter__(self) -> Self:
        self._token: Token[attempt | None] = _attempt.set(self)
        return self

    def __exit__(self, *_: object) -> None:
        _attempt.reset(self._token)


_attempt: ContextVar[attempt | None] = ContextVar("attempt", default=None)


class _WatchedMixin(HTTPConnection):
    """Connects and reads within the deadline; tells the attempt when connecting failed."""

    idle_since: float | None = None
    _has_body = False

    @property
    def is_connected(self) -> bool:
        """Whether the other side has neither closed the connection nor said anything unasked.

        As urllib3's own, by one look at what was received: its poll costs a turn of the event loop under gevent.
        """
        if not isinstance(self.sock, socket.socket):
            return super().is_connected
        before = self.sock.gettimeout()
        self.sock.settimeout(0)
        try:
            # Below TLS, whose own `recv` cannot look: whatever came is either the end or an answer to nothing.
            socket.socket.recv(self.sock, 1, socket.MSG_PEEK)
        except (BlockingIOError, InterruptedError):
            return True
        except OSError:
            return False
        finally:
            self.sock.settimeout(before)
        return False

    def request(self, method: str, url: str, body: Any = None, headers: Any = None, **options: Any) -> None:
        """Send a request; once its body is out, the answer has its own time."""
        self._has_body = body is not None
        try:
            super().request(method, url, body, headers, **options)
        finally:
            self._has_body = False
        if body is not None:
            (_attempt.get() or attempt()).body_is_out()

    def send(self, data: Any) -> None:
        """Write; each piece of a body has some seconds, and all of them the deadline."""
        if self._has_body and self.sock is not None:
            self.sock.settimeout(min(WRITE_SECONDS, time_left() or WRITE_SECONDS))
        super().send(data)

    def connect(self) -> None:
        watched = _attempt.get() or attempt()
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

    def _bounded_reads(self) -> contextlib.AbstractContextManager[None]:
        return contextlib.nullcontext() if self.sock is None or not is_bounded() else _BoundedReads(self)


class _BoundedReads:
    """While it lasts, what a connection reads from its socket is read within the deadline."""

    __slots__ = ("_connection", "_sock")

    def __init__(self, connection: _WatchedMixin) -> None:
        self._connection = connection
        self._sock: Any = connection.sock

    def __enter__(self) -> None:
        self._connection.sock = DeadlineSocket(self._sock)

    def __exit__(self, *_: object) -> None:
        # What was read may have closed the connection, which has then let go of the socket.
        if self._connection.sock is not None:
            self._connection.sock = self._sock


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
            connection.sock.settimeout(WRITE_SECONDS)
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
        self._pools: dict[tuple[str, Any], HTTPConnectionPool] = {}
        super().__init__(pool_connections=8, pool_maxsize=pool_size, max_retries=retries)

    def init_poolmanager(self, *args: Any, **kwargs: Any) -> None:
        """Make the pool manager with our pools."""
        super().init_poolmanager(*args, **kwargs)
        self._use_our_pools(self.poolmanager)

    def send(
        self,
        request: Any,
        stream: bool = False,
        timeout: Any = None,
        verify: Any = True,
        cert: Any = None,
        proxies: Any = None,
    ) -> Response:
        """Send a request: a POST of one piece by the short road, everything else by urllib3's."""
        direct = not proxies and cert is None and isinstance(timeout, tuple)
        if not (direct and request.method == "POST" and isinstance(request.body, bytes)):
            return super().send(request, stream, timeout, verify, cert, proxies)
        pool = self.get_connection_with_tls_context(request, verify)
        connect_seconds, read_seconds = timeout
        answer = exchange(
            pool,
            request.path_url,
            request.headers,
            request.body,
            connect_seconds=connect_seconds,
            read_seconds=read_seconds,
        )
        return self.build_response(request, answer)

    def get_connection_with_tls_context(
        self, request: Any, verify: Any, proxies: Any = None, cert: Any = None
    ) -> HTTPConnectionPool:
        """The pool for a request's host; what `requests` would look up each time is looked up once."""
        if proxies or cert is not None:
            return cast(HTTPConnectionPool, super().get_connection_with_tls_context(request, verify, proxies, cert))
        url = str(request.url)
        key = (url[: url.find("/", len("https://"))], verify)
        pool = self._pools.get(key)
        if pool is None or pool.pool is None:  # the manager closes what it has not seen for long
            pool = cast(HTTPConnectionPool, super().get_connection_with_tls_context(request, verify))
            self.cert_verify(pool, url, verify, None)  # type: ignore[no-untyped-call]  # requests' own gap
            if len(self._pools) >= _MOST_POOLS:
                self._pools.clear()
            self._pools[key] = pool
        return pool

    def close(self) -> None:
        """Close the pooled connections; those that we remember, urllib3 would keep open until we are gone."""
        for pool in self._pools.values():
            pool.close()
        self._pools.clear()
        super().close()

    def request_url(self, request: Any, proxies: Any) -> str:
        """The request's target: path and query, the whole URL only for a proxy that forwards."""
        return super().request_url(request, proxies) if proxies else str(request.path_url)

    def build_response(self, req: Any, resp: Any) -> Response:
        """The answer as `requests` has it, with urllib3's own headers and without what nobody reads.

        Cookies are neither kept nor sent; bodies are read as bytes, so that no encoding is looked up.
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
