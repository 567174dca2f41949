"""Read a complete HTTP request from a socket: closing a socket with unread data resets the connection."""

from __future__ import annotations

import re
import socket

LONGEST_BODY = 65_536


def receive_request(connection: socket.socket) -> bytes:
    """Return the request and its body, or b"" if none came; a body of 64 KiB or more is not read to its end."""
    received = b""
    while b"\r\n\r\n" not in received:
        if not (part := connection.recv(65_536)):
            return b""
        received += part
    length = re.search(rb"(?i)content-length: *(\d+)", received)
    if length and int(length[1]) < LONGEST_BODY:
        whole = received.index(b"\r\n\r\n") + 4 + int(length[1])
        while len(received) < whole and (part := connection.recv(65_536)):
            received += part
    return received
