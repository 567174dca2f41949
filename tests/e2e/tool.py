"""The operator's tool that answers messages (WA_RESPONDER=http): it echoes, and a test can observe every call."""

from __future__ import annotations

import json
import threading
from collections.abc import Callable
from http.server import BaseHTTPRequestHandler
from typing import Any, Self

from tests.tool_server import ToolServer

SECRET = "whsec_" + "dGVzdHMtcmVzcG9uZGVyLXNlY3JldC0xMjM0NTY="

Question = dict[str, Any]


def echo(question: Question) -> str:
    """The answer to a question."""
    return f"{question['text']}!"


class Tool:
    """A server on a free port. It calls `meet` with each question before it answers; `meet` may block.

    A question's `asked_from` is the port of the worker that asks: `Stack.kill_owner` finds its process.
    """

    def __init__(self) -> None:
        self.asked: list[Question] = []
        self.meet: Callable[[Question], None] = lambda _: None
        self._server = ToolServer(("127.0.0.1", 0), _handler(self))
        self._thread = threading.Thread(target=self._server.serve_forever, daemon=True)

    @property
    def url(self) -> str:
        """The value of WA_RESPONDER_URL."""
        return f"http://127.0.0.1:{self._server.server_address[1]}/answer"

    def texts(self, wa_id: str) -> list[str]:
        """The texts about a customer that it was asked, including repetitions."""
        return [question["text"] for question in list(self.asked) if question["message"].get("from") == wa_id]

    def calm(self) -> None:
        """Forget all questions and answer at once."""
        self.asked = []
        self.meet = lambda _: None

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._server.shutdown()
        self._server.server_close()
        self._thread.join(5)


def _handler(tool: Tool) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"
        disable_nagle_algorithm = True

        def do_POST(self) -> None:
            question: Question = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
            question["asked_from"] = self.client_address[1]
            tool.asked.append(question)
            tool.meet(question)
            answer = json.dumps({"messages": [{"type": "text", "text": {"body": echo(question)}}]}).encode()
            self.send_response(200)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(answer)))
            self.end_headers()
            self.wfile.write(answer)

        def log_message(self, *_: object) -> None:
            """Do not log requests."""

    return Handler
