"""Calls over a unix socket to a process that is busy, or still starts."""

from __future__ import annotations

import socket
import threading
from pathlib import Path

from wa_service.resilience.http import HttpCaller

CONNECT_SECONDS = 0.2
BODY = b"x" * 5_000_000
"""More than the kernel buffers, so that it is sent only when the server reads."""


def test_a_body_may_wait_longer_than_connecting_may(tmp_path: Path) -> None:
    path = tmp_path / "socket"
    taken: list[int] = []

    def serve(listener: socket.socket) -> None:
        with listener.accept()[0] as connection:
            threading.Event().wait(3 * CONNECT_SECONDS)
            while sum(taken) < len(BODY):
                taken.append(len(connection.recv(1_000_000)))
            connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\nConnection: close\r\n\r\nheard")

    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(str(path))
        listener.listen()
        server = threading.Thread(target=serve, args=(listener,), daemon=True)
        server.start()
        caller = HttpCaller(connect_seconds=CONNECT_SECONDS, unix_socket=path)

        answer = caller.post("http://localhost/", seconds=10.0, headers={}, data=BODY)

        server.join(10)
    assert (answer.status, answer.body) == (200, b"heard")
