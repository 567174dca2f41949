"""HTTP client for callback URLs: keep-alive on gevent sockets, without monkey-patching."""

from __future__ import annotations

import http.client
import ssl
import time
from collections import defaultdict, deque
from dataclasses import dataclass
from urllib.parse import SplitResult, urlsplit

import gevent
from gevent import socket as gevent_socket
from gevent import ssl as gevent_ssl

_ANSWER_BYTES = 64 * 1024
_IDLE_CONNECTIONS = 64
# Shorter than the keep-alive of common servers, so that a reused connection is rarely closed.
_IDLE_SECONDS = 1.5


@dataclass(frozen=True, slots=True)
class CallbackResponse:
    """Response of a callback; without one, ``status`` is 0 and ``error`` is set."""

    status: int
    body: bytes
    seconds: float
    error: str = ""
    timed_out: bool = False
    content_type: str = ""


class CallbackClient:
    """HTTP/1.1 client on gevent sockets with a pool of idle connections for each origin."""

    def __init__(self) -> None:
        self._idle: dict[tuple[str, str], deque[tuple[float, http.client.HTTPConnection]]] = defaultdict(deque)

    def request(
        self,
        method: str,
        url: str,
        *,
        timeout: float,
        headers: dict[str, str] | None = None,
        body: bytes = b"",
        limit: int = _ANSWER_BYTES,
    ) -> CallbackResponse:
        """Send one request; return every failure as a response with status 0.

        ``timeout`` (seconds) covers the whole exchange; at most ``limit`` bytes of the body are read.
        """
        started = time.monotonic()
        deadline = gevent.Timeout(timeout)
        deadline.start()
        try:
            content, status, kind = self._exchange(urlsplit(url), method, headers or {}, body, limit)
        except gevent.Timeout as timer:
            if timer is not deadline:
                raise
            error = f"no answer within {timeout:g} s"
            return CallbackResponse(0, b"", time.monotonic() - started, error, timed_out=True)
        except (OSError, ValueError, http.client.HTTPException) as error:
            return CallbackResponse(0, b"", time.monotonic() - started, f"{type(error).__name__}: {error}")
        finally:
            deadline.close()
        return CallbackResponse(status, content, time.monotonic() - started, content_type=kind)

    def close(self) -> None:
        """Close every idle connection."""
        for connections in self._idle.values():
            for _, connection in connections:
                connection.close()
        self._idle.clear()

    def _exchange(
        self, parts: SplitResult, method: str, headers: dict[str, str], body: bytes, limit: int
    ) -> tuple[bytes, int, str]:
        """Send once; a reused connection that the server closed is replaced."""
        connection, reused = self._connection(parts)
        try:
            return self._send(connection, parts, method, headers, body, limit)
        except (ConnectionError, http.client.BadStatusLine):
            if not reused:
                raise
        connection = self._connect(parts)
        return self._send(connection, parts, method, headers, body, limit)

    def _send(
        self,
        connection: http.client.HTTPConnection,
        parts: SplitResult,
        method: str,
        headers: dict[str, str],
        body: bytes,
        limit: int,
    ) -> tuple[bytes, int, str]:
        kept = False
        try:
            target = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
            connection.request(method, target, body=body or None, headers=headers)
            response = connection.getresponse()
            content = response.read(limit)
            if not response.will_close and not response.read(1):
                kept = self._keep(parts, connection)
            return content, response.status, response.headers.get("Content-Type", "")
        finally:
            if not kept:
                connection.close()

    def _connection(self, parts: SplitResult) -> tuple[http.client.HTTPConnection, bool]:
        """Return a connection, and whether it was used before."""
        idle = self._idle[parts.scheme, parts.netloc]
        while idle:
            since, connection = idle.pop()
            if time.monotonic() - since < _IDLE_SECONDS:
                return connection, True
            connection.close()
        return self._connect(parts), False

    def _connect(self, parts: SplitResult) -> http.client.HTTPConnection:
        host = parts.hostname or ""
        if parts.scheme == "https":
            return _HTTPSConnection(host, parts.port or 443)
        return _HTTPConnection(host, parts.port or 80)

    def _keep(self, parts: SplitResult, connection: http.client.HTTPConnection) -> bool:
        idle = self._idle[parts.scheme, parts.netloc]
        if len(idle) >= _IDLE_CONNECTIONS:
            return False
        idle.append((time.monotonic(), connection))
        return True


class _HTTPConnection(http.client.HTTPConnection):
    def connect(self) -> None:
        self.sock = gevent_socket.create_connection((self.host, self.port))
        self.sock.setsockopt(gevent_socket.IPPROTO_TCP, gevent_socket.TCP_NODELAY, 1)


class _HTTPSConnection(_HTTPConnection):
    def connect(self) -> None:
        super().connect()
        context = gevent_ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        context.load_default_certs()
        self.sock = context.wrap_socket(self.sock, server_hostname=self.host)
