"""A stand-in for Meta: accepts sends immediately and records when each arrived.

    python -m benchmarks.meta '{"port": 8001, "latency": 0.0}'

The emulator would use as much CPU as the measured process. `POST /<version>/<number>/messages` is answered as Meta
does (reference 2.2), after `latency` seconds; `GET /<version>/<media id>` and its URL serve one voice note.
`GET /_bench` returns the arrivals, `POST /_bench` clears them.
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

from benchmarks.lean_http import Answer, serve

ACCEPTED = (
    b'{"messaging_product":"whatsapp","contacts":[{"input":"%s","wa_id":"%s"}],'
    b'"messages":[{"id":"wamid.HBgNNDkxNTExMTExMTExMRUCABEYEk%012dA="}]}'
)
JSON = "application/json"


class Meta:
    """Accepts every send and records recipient and time."""

    def __init__(self, spec: dict[str, Any]) -> None:
        self._latency = spec.get("latency", 0.0)
        self._port = spec["port"]
        note = spec.get("note")
        self._note = Path(note).read_bytes() if note else b""
        self._sent = 0
        self._arrivals: list[tuple[str, float]] = []
        self._marks = 0

    def answer(self, method: str, path: str, body: bytes) -> Answer:
        """Return Meta's response, or the recorded arrivals."""
        if path.startswith("/_bench"):
            return self._control(method), JSON
        if method == "POST":
            return self._send(orjson.loads(body)), JSON
        if path.startswith("/file"):
            return self._note, "audio/ogg"
        return self._media(path), JSON

    def _send(self, message: dict[str, Any]) -> bytes:
        arrived = time.monotonic()
        if self._latency:
            gevent.sleep(self._latency)
        if "status" in message:
            self._marks += 1
            return b'{"success":true}'
        to = str(message.get("to") or message.get("recipient"))
        self._arrivals.append((to, arrived))
        self._sent += 1
        return ACCEPTED % (to.encode(), to.encode(), self._sent)

    def _control(self, method: str) -> bytes:
        if method == "POST":
            self._arrivals, self._marks = [], 0
        return json.dumps({"arrivals": self._arrivals, "marks": self._marks}).encode()

    def _media(self, path: str) -> bytes:
        about = {
            "messaging_product": "whatsapp",
            "url": f"http://127.0.0.1:{self._port}/file",
            "mime_type": "audio/ogg; codecs=opus",
            "sha256": sha256(self._note).hexdigest(),
            "file_size": str(len(self._note)),
            "id": path.rpartition("/")[2].partition("?")[0],
        }
        return json.dumps(about).encode()


if __name__ == "__main__":
    given = json.loads(sys.argv[1])
    secure = {"certfile": given["certificate"], "keyfile": given["key"]} if "certificate" in given else {}
    serve(given["port"], Meta(given).answer, **secure)
