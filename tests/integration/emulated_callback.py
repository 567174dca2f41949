"""A business's callback for the emulator's tests: a real HTTP server that stores the webhooks."""

from __future__ import annotations

import json
import threading
from collections.abc import Callable
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler
from types import TracebackType
from typing import Any
from urllib.parse import parse_qs, urlsplit

from tests.tool_server import ToolServer

VERIFY_TOKEN = "verify-me"


@dataclass(frozen=True)
class Delivery:
    """A received webhook."""

    body: bytes
    headers: dict[str, str]

    @property
    def payload(self) -> dict[str, Any]:
        found: dict[str, Any] = json.loads(self.body)
        return found

    def parts(self, name: str) -> list[dict[str, Any]]:
        """All ``messages`` or ``statuses`` in it, over entries and changes."""
        return [
            item
            for entry in self.payload["entry"]
            for change in entry["changes"]
            for item in change["value"].get(name, [])
        ]


@dataclass
class Callback:
    """Responds 200, or with ``answer`` of the delivery's index; completes the verification as a service should."""

    answer: Callable[[int], int] = lambda _: 200
    handshake_status: int = 200
    deliveries: list[Delivery] = field(default_factory=list)
    handshakes: list[dict[str, list[str]]] = field(default_factory=list)

    def __enter__(self) -> Callback:
        callback = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_GET(self) -> None:
                query = parse_qs(urlsplit(self.path).query)
                callback.handshakes.append(query)
                good = query["hub.verify_token"] == [VERIFY_TOKEN] and callback.handshake_status == 200
                self._send(200 if good else 403, query["hub.challenge"][0].encode() if good else b"")

            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers["Content-Length"]))
                number = len(callback.deliveries)
                callback.deliveries.append(Delivery(body, dict(self.headers)))
                self._send(callback.answer(number), b"")

            def _send(self, status: int, body: bytes) -> None:
                self.send_response(status)
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

            def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - the base class's name
                pass

        self._server = ToolServer(("127.0.0.1", 0), Handler)
        threading.Thread(target=self._server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True).start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._server.shutdown()
        self._server.server_close()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self._server.server_port}/webhooks/whatsapp"

    def parts(self, name: str) -> list[dict[str, Any]]:
        return [item for delivery in tuple(self.deliveries) for item in delivery.parts(name)]

    def statuses(self, wamid: str) -> list[str]:
        return [str(item["status"]) for item in self.parts("statuses") if item["id"] == wamid]
