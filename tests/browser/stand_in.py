"""A small business for the phone page: it receives webhooks and sends through the emulator's Graph API."""

from __future__ import annotations

import json
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from types import TracebackType
from typing import Any
from urllib.parse import parse_qs, urlsplit

import requests
from playwright.sync_api import Page

from meta_emulator import EmulatorConfig, RunningEmulator

NUMBER = "106540352242922"
OTHER_NUMBER = "106540352242923"
ANA = "447700900123"
BEN = "15550102030"

Json = dict[str, Any]
OpenPage = Callable[..., Page]


class Business:
    """A business that verifies the callback, accepts every webhook, and sends what `answers(message)` returns."""

    def __init__(self) -> None:
        self.heard: list[Json] = []
        self.statuses: list[Json] = []
        self.answers: Callable[[Json], list[Json]] = lambda _: []
        self.graph = ""
        self._may_answer = threading.Event()
        self._may_answer.set()
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), _handler(self))
        self._server.daemon_threads = True
        self._thread = threading.Thread(target=self._server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True)
        self.session = requests.Session()
        self.session.trust_env = False

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self._server.server_port}/webhook"

    def __enter__(self) -> Business:
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._server.shutdown()
        self._server.server_close()
        self._thread.join(5)
        self.session.close()

    def start_over(self) -> None:
        """Reset the world, once everything under way has arrived."""
        self.answers = lambda _: []
        settled = self.control("settle", {"timeout": 20})
        assert settled["settled"], settled
        self.control("reset")
        self.control("limits", {"pair": False})
        self.heard.clear()
        self.statuses.clear()

    @contextmanager
    def away(self) -> Iterator[None]:
        """Inside the block nobody is subscribed to webhooks."""
        self.control("webhooks/callback", {"url": ""})
        yield
        self.control("webhooks/callback", {"url": self.url})

    @contextmanager
    def slow(self) -> Iterator[threading.Event]:
        """Delay the responses to webhooks until the event is set or the block ends."""
        self._may_answer = threading.Event()
        try:
            yield self._may_answer
        finally:
            self._may_answer.set()

    def wait_to_answer(self) -> None:
        self._may_answer.wait(10)

    def take(self, payload: Json) -> None:
        for entry in payload["entry"]:
            for change in entry["changes"]:
                self.statuses += change["value"].get("statuses", [])
                for message in change["value"].get("messages", []):
                    self.heard.append(message)
                    for body in self.answers(message):
                        self.send(body, to=message["from"])

    def send(self, body: Json, to: str = ANA, number: str = NUMBER) -> str:
        """Send through the Graph API, which must succeed; return the wamid, or "" where there is none."""
        answer = self.post(body, to, number)
        assert answer.status_code == 200, answer.text
        return str(answer.json().get("messages", [{"id": ""}])[0]["id"])

    def post(self, body: Json, to: str = ANA, number: str = NUMBER) -> requests.Response:
        message = {"messaging_product": "whatsapp", "to": to, **body}
        return self.session.post(f"{self.graph}/v24.0/{number}/messages", json=message, headers=_TOKEN, timeout=10)

    def text(self, body: str, to: str = ANA, **more: Any) -> str:
        return self.send({"type": "text", "text": {"body": body}, **more}, to)

    def read(self, wamid: str, *, typing: bool = False) -> None:
        """Mark a message of the phone as read, with or without the typing indicator."""
        body: Json = {"messaging_product": "whatsapp", "status": "read", "message_id": wamid}
        if typing:
            body["typing_indicator"] = {"type": "text"}
        url = f"{self.graph}/v24.0/{NUMBER}/messages"
        assert self.session.post(url, json=body, headers=_TOKEN, timeout=10).status_code == 200

    def upload(self, content: bytes, mime_type: str, name: str = "file.bin") -> str:
        url = f"{self.graph}/v24.0/{NUMBER}/media"
        fields = {"messaging_product": "whatsapp", "type": mime_type}
        answer = self.session.post(
            url, data=fields, files={"file": (name, content, mime_type)}, headers=_TOKEN, timeout=10
        )
        assert answer.status_code == 200, answer.text
        return str(answer.json()["id"])

    def control(self, path: str, body: Json | None = None, method: str = "POST") -> Any:
        answer = self.session.request(method, f"{self.graph}/_emulator/{path}", json=body, timeout=10)
        assert answer.status_code == 200, answer.text
        return answer.json()

    def writes(self, body: str, wa_id: str = ANA, **more: Any) -> str:
        """Send a text from the phone, not through the page; return its wamid."""
        return str(self.control(f"phones/{wa_id}/messages", {"type": "text", "text": {"body": body}, **more})["id"])

    def shown(self, wa_id: str = ANA) -> list[Json]:
        messages: list[Json] = self.control(f"phones/{wa_id}/messages", method="GET")["messages"]
        return messages


_TOKEN = {"Authorization": "Bearer EAAtest"}


def emulator_for(business: Business, **settings: Any) -> RunningEmulator:
    """An emulator on a free port whose webhooks go to the business."""
    values: Json = {"phone_number_ids": (NUMBER,), "callback_url": business.url, **settings}
    return RunningEmulator(
        EmulatorConfig(access_token="EAAtest", app_secret="secret", verify_token="v", port=0, **values)
    )


def _handler(business: Business) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_GET(self) -> None:
            self._answer(parse_qs(urlsplit(self.path).query).get("hub.challenge", [""])[0].encode())

        def do_POST(self) -> None:
            payload = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
            business.wait_to_answer()
            self._answer(b"ok")
            # The business answers after the 200, like one that queues messages.
            business.take(payload)

        def _answer(self, body: bytes) -> None:
            self.send_response(200)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)
            self.wfile.flush()

        def log_message(self, *_: Any) -> None:
            """Do not log requests."""

    return Handler
