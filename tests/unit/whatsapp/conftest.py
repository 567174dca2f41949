"""Fixtures: sample deliveries, and real servers that misbehave."""

from __future__ import annotations

import itertools
import json
import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest

from tests.received_request import receive_request

INBOUND = Path(__file__).parents[2] / "payloads" / "inbound"


@pytest.fixture(scope="session")
def inbound() -> Callable[[str], dict[str, Any]]:
    """Return a function that loads a sample delivery by name."""

    def load(name: str) -> dict[str, Any]:
        return json.loads((INBOUND / f"{name}.json").read_text(encoding="utf-8"))

    return load


@dataclass
class Request:
    """A request that a local server received."""

    method: str
    path: str
    headers: dict[str, str]
    body: bytes
    connection: int


Answer = tuple[int, dict[str, str], bytes]


@dataclass
class LocalMeta:
    """A local HTTP server that responds with the result of `answers` and records requests."""

    url: str = ""
    requests: list[Request] = field(default_factory=list)
    answers: Callable[[Request], Answer] = lambda _: (200, {}, b"{}")

    @property
    def paths(self) -> list[str]:
        return [request.path for request in self.requests]


@pytest.fixture
def local_meta() -> Iterator[LocalMeta]:
    """Yield an HTTP server on the loopback interface."""
    meta = LocalMeta()
    connections = itertools.count()

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def setup(self) -> None:
            super().setup()
            self.number = next(connections)

        def _any(self) -> None:
            length = int(self.headers.get("Content-Length", "0"))
            request = Request(self.command, self.path, dict(self.headers), self.rfile.read(length), self.number)
            meta.requests.append(request)
            status, headers, body = meta.answers(request)
            self.send_response(status)
            for name, value in {"Content-Length": str(len(body)), **headers}.items():
                self.send_header(name, value)
            self.end_headers()
            self.wfile.write(body)

        do_GET = do_POST = do_DELETE = _any  # noqa: N815 - names of http.server

        def log_message(self, *args: object) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    meta.url = f"http://127.0.0.1:{server.server_port}"
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True)
    thread.start()
    yield meta
    server.shutdown()
    server.server_close()
    thread.join(5)


class RawServer:
    """A TCP server that reads the request of each connection and then calls `script`."""

    def __init__(self) -> None:
        self.heads: list[bytes] = []
        self.script: Callable[[socket.socket, threading.Event], None] = lambda _connection, _stop: None
        self.wrap: Callable[[socket.socket], socket.socket] = lambda connection: connection
        self._stop = threading.Event()
        self._socket = socket.create_server(("127.0.0.1", 0))
        self.port = self._socket.getsockname()[1]
        self.url = f"http://127.0.0.1:{self.port}"
        self._threads: list[threading.Thread] = []
        self._open: list[socket.socket] = []
        self._start(self._accept)

    def _start(self, target: Callable[..., None], *args: object) -> None:
        thread = threading.Thread(target=target, args=args, daemon=True)
        self._threads.append(thread)
        thread.start()

    def _accept(self) -> None:
        while True:
            try:
                connection, _ = self._socket.accept()
            except OSError:
                return
            self._open.append(connection)
            self._start(self._serve, connection)

    def _serve(self, connection: socket.socket) -> None:
        with suppress(OSError), self.wrap(connection) as connection:
            connection.settimeout(10)
            if self.read_request(connection):
                self.script(connection, self._stop)

    def read_request(self, connection: socket.socket) -> bool:
        """Read one request, with its body if that is small; return whether one came."""
        received = receive_request(connection)
        if received:
            self.heads.append(received)
        return bool(received)

    @property
    def connections(self) -> int:
        """The number of connections that were opened."""
        return len(self._open)

    def at_rest(self) -> bool:
        """Return whether it has closed every accepted connection."""
        return not any(thread.is_alive() for thread in self._threads[1:])

    def close(self) -> None:
        self._stop.set()
        for opened in (self._socket, *self._open):
            with suppress(OSError):
                opened.shutdown(socket.SHUT_RDWR)
        self._socket.close()
        for thread in self._threads:
            thread.join(5)


@pytest.fixture
def raw_server() -> Iterator[RawServer]:
    """Yield a TCP server whose response, bytes and timing, is up to the test."""
    server = RawServer()
    yield server
    server.close()


@pytest.fixture
def drip() -> Callable[[bytes, bytes], Callable[[socket.socket, threading.Event], None]]:
    """Return a function that makes a script: send `first`, then a byte of `rest` every 20 ms, endlessly."""

    def make(first: bytes, rest: bytes) -> Callable[[socket.socket, threading.Event], None]:
        def script(connection: socket.socket, stop: threading.Event) -> None:
            connection.sendall(first)
            while not stop.wait(0.02):
                for byte in rest:
                    connection.sendall(bytes([byte]))
                    if stop.wait(0.02):
                        return

        return script

    return make
