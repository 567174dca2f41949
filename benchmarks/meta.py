"""What stands in for Meta: the leanest server that says yes to sends, and notes when each arrived.

    python -m benchmarks.meta '{"port": 8001, "latency": 0.0}'

The emulator would cost as much CPU as what is measured. `POST /<version>/<number>/messages` is answered as Meta does
(reference 2.2), after `latency` seconds; `GET /<version>/<media id>` and the file behind it serve one voice note. What
arrived is read at `GET /_bench`, and forgotten with `POST /_bench`.
"""

from __future__ import annotations

import json
import sys
import time
from hashlib import sha256
from pathlib import Path
from typing import Any

import gevent
import orjson
from gevent.server import StreamServer

YES = (
    b'{"messaging_product":"whatsapp","contacts":[{"input":"%s","wa_id":"%s"}],'
    b'"messages":[{"id":"wamid.HBgNNDkxNTExMTExMTExMRUCABEYEk%012dA="}]}'
)
SUCCESS = b'{"success":true}'


class Meta:
    """Says yes; remembers to whom and when."""

    def __init__(self, spec: dict[str, Any]) -> None:
        self._latency = spec.get("latency", 0.0)
        self._port = spec["port"]
        note = spec.get("note")
        self._note = Path(note).read_bytes() if note else b""
        self._sent = 0
        self.forget()

    def forget(self) -> None:
        """Nothing has arrived."""
        self.arrivals: list[tuple[str, float]] = []
        self.marks = 0

    def serve(self, connection: Any, _: Any) -> None:
        """One connection, until the other side closes it."""
        connection.setsockopt(gevent.socket.IPPROTO_TCP, gevent.socket.TCP_NODELAY, 1)
        buffer = b""
        while True:
            while b"\r\n\r\n" not in buffer:
                more = connection.recv(65536)
                if not more:
                    return
                buffer += more
            head, _, buffer = buffer.partition(b"\r\n\r\n")
            lines = head.lower().split(b"\r\n")
            length = next((int(line[15:]) for line in lines if line.startswith(b"content-length:")), 0)
            while len(buffer) < length:
                buffer += connection.recv(65536)
            body, buffer = buffer[:length], buffer[length:]
            method, path, _ = head.split(b" ", 2)
            content, kind = self._answer(method, path.decode(), body)
            connection.sendall(
                b"HTTP/1.1 200 OK\r\nContent-Type: %s\r\nContent-Length: %d\r\n\r\n%s" % (kind, len(content), content)
            )

    def _answer(self, method: bytes, path: str, body: bytes) -> tuple[bytes, bytes]:
        if path.startswith("/_bench"):
            return self._control(method), b"application/json"
        if method == b"POST":
            return self._send(orjson.loads(body)), b"application/json"
        if path.startswith("/file"):
            return self._note, b"audio/ogg"
        return self._media(path), b"application/json"

    def _send(self, message: dict[str, Any]) -> bytes:
        arrived = time.monotonic()
        if self._latency:
            gevent.sleep(self._latency)
        if "status" in message:
            self.marks += 1
            return SUCCESS
        to = str(message.get("to") or message.get("recipient"))
        self.arrivals.append((to, arrived))
        self._sent += 1
        return YES % (to.encode(), to.encode(), self._sent)

    def _control(self, method: bytes) -> bytes:
        if method == b"POST":
            self.forget()
            return b"{}"
        return json.dumps({"arrivals": self.arrivals, "marks": self.marks}).encode()

    def _media(self, path: str) -> bytes:
        return json.dumps(
            {
                "messaging_product": "whatsapp",
                "url": f"http://127.0.0.1:{self._port}/file",
                "mime_type": "audio/ogg; codecs=opus",
                "sha256": sha256(self._note).hexdigest(),
                "file_size": str(len(self._note)),
                "id": path.rpartition("/")[2].partition("?")[0],
            }
        ).encode()


def main() -> None:
    """Serves until it is ended."""
    spec = json.loads(sys.argv[1])
    tls = {"certfile": spec["certificate"], "keyfile": spec["key"]} if "certificate" in spec else {}
    meta = Meta(spec)
    StreamServer(("127.0.0.1", spec["port"]), meta.serve, backlog=1024, **tls).serve_forever()


if __name__ == "__main__":
    main()
