"""Calls to the business's callback URL: keep-alive, cooperative even where nothing is monkey-patched."""

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
# Shorter than what common servers keep idle connections for, so that we seldom write into a closed one.
_IDLE_SECONDS = 1.5


@dataclass(frozen=True, slots=True)
class Answer:
    """What the callback said: ``status`` 0 and ``error`` where it said nothing."""

    status: int
    body: bytes
    seconds: float
    error: str = ""
    timed_out: bool = False
    content_type: str = ""


class CallbackClient:
    """A small HTTP/1.1 client on gevent sockets with a pool of idle connections for each origin."""

    def __init__(self) -> None:
        self._idle: dict[tuple[str, str], deque[tuple[float, http.client.HTTPConnection]]] = defaultdict(deque)

    def call(
        self,
        method: str,
        url: str,
        *,
        timeout: float,
        headers: dict[str, str] | None = None,
        body: bytes = b"",
        limit: int = _ANSWER_BYTES,
    ) -> Answer:
        """Send one request; every failure comes back as an Answer with status 0.

        ``timeout`` (seconds) covers all of it; ``limit`` is how many bytes of the answer are read.
        """
        parts = urlsplit(url)
        started = time.monotonic()
        deadline = gevent.Timeout(timeout)
        deadline.start()
        connection: http.client.HTTPConnection | None = None
        try:
            connection = self._connection(parts)
            target = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
            connection.request(method, target, body=body or None, headers=headers or {})
            response = connection.getresponse()
            content = response.read(limit)
            kind = response.headers.get("Content-Type", "")
            answer = Answer(response.status, content, time.monotonic() - started, content_type=kind)
            if response.will_close or response.read(1):
                connection.close()
            else:
                self._keep(parts, connection)
        except gevent.Timeout as timer:
            if timer is not deadline:
                raise
            return self._failed(connection, started, f"no answer within {timeout:g} s", timed_out=True)
        except (OSError, ValueError, http.client.HTTPException) as error:
            return self._failed(connection, started, f"{type(error).__name__}: {error}")
        finally:
            deadline.close()
        return answer

    def close(self) -> None:
        """Close every idle connection."""
        for connections in self._idle.values():
            for _, connection in connections:
                connection.close()
        self._idle.clear()

    def _failed(
        self,
        connection: http.client.HTTPConnection | None,
        started: float,
        error: str,
        *,
        timed_out: bool = False,
    ) -> Answer:
        if connection is not None:
            connection.close()
        return Answer(0, b"", time.monotonic() - started, error, timed_out)

    def _connection(self, parts: SplitResult) -> http.client.HTTPConnection:
        idle = self._idle[parts.scheme, parts.netloc]
        while idle:
            since, connection = idle.pop()
            if time.monotonic() - since < _IDLE_SECONDS:
                return connection
            connection.close()
        host = parts.hostname or ""
        if parts.scheme == "https":
            return _HTTPSConnection(host, parts.port or 443)
        return _HTTPConnection(host, parts.port or 80)

    def _keep(self, parts: SplitResult, connection: http.client.HTTPConnection) -> None:
        idle = self._idle[parts.scheme, parts.netloc]
        if len(idle) < _IDLE_CONNECTIONS:
            idle.append((time.monotonic(), connection))
        else:
            connection.close()


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
