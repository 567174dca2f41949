"""Read one whole HTTP request from a socket: where a part stays unread, closing it resets the connection."""

from __future__ import annotations

import re
import socket

LONGEST_BODY = 65_536


def receive_request(connection: socket.socket) -> bytes:
    """The request with its body, of a longer body than 64 KiB only what came with the head; b"" where none came."""
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
