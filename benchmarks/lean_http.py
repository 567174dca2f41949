"""A minimal HTTP server for the stand-ins; it uses hardly any CPU."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from gevent import socket
from gevent.server import StreamServer

Answer = tuple[bytes, str]
Handler = Callable[[str, str, bytes], Answer]
"""Gets method, path and body; returns the body of the 200 and its content type."""


def serve(port: int, handler: Handler, **tls: str) -> None:
    """Serve on loopback until the process ends; `tls`: certfile and keyfile."""

    def connection(peer: Any, _: Any) -> None:
        peer.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        buffer = b""
        while True:
            while b"\r\n\r\n" not in buffer:
                more = peer.recv(65536)
                if not more:
                    return
                buffer += more
            head, _, buffer = buffer.partition(b"\r\n\r\n")
            lines = head.lower().split(b"\r\n")
            length = next((int(line[15:]) for line in lines if line.startswith(b"content-length:")), 0)
            while len(buffer) < length:
                buffer += peer.recv(65536)
            body, buffer = buffer[:length], buffer[length:]
            method, path, _ = head.decode("latin-1").split(" ", 2)
            content, kind = handler(method, path, body)
            start = f"HTTP/1.1 200 OK\r\nContent-Type: {kind}\r\nContent-Length: {len(content)}\r\n\r\n"
            peer.sendall(start.encode() + content)

    StreamServer(("127.0.0.1", port), connection, backlog=1024, **tls).serve_forever()
