"""A `/v1/chat/completions` server on a real socket that returns what a test wants, whole or streamed."""

from __future__ import annotations

import json
import threading
from collections.abc import Callable, Mapping
from http.server import BaseHTTPRequestHandler
from types import MappingProxyType
from typing import Any, Self

from tests.tool_server import ToolServer

Request = dict[str, Any]
Answer = Callable[[Request], "Reply"]


class Reply:
    """A response: status, body, and whether it is sent byte by byte.

    `before` is called first and `after` once the last byte is sent, both with the client's port.
    """

    def __init__(
        self,
        body: bytes,
        status: int = 200,
        *,
        form: str = "application/json",
        headers: Mapping[str, str] = MappingProxyType({}),
        before: Callable[[int], object] = lambda _: None,
        after: Callable[[int], object] = lambda _: None,
    ) -> None:
        self.body = body
        self.status = status
        self.form = form
        self.headers = headers
        self.before = before
        self.after = after


def said(content: Any = "Hello!", *, tools: tuple[tuple[str, Any], ...] = (), end: str = "stop") -> Reply:
    """A whole response, with tool calls as (name, arguments)."""
    message: dict[str, Any] = {"role": "assistant", "content": content}
    if tools:
        message["tool_calls"] = [
            {"id": f"call_{n}", "type": "function", "function": {"name": name, "arguments": arguments}}
            for n, (name, arguments) in enumerate(tools)
        ]
    choice = {"index": 0, "message": message, "finish_reason": end}
    return Reply(json.dumps({"object": "chat.completion", "choices": [choice]}).encode())


def streamed(*deltas: dict[str, Any], done: bool = True) -> Reply:
    """The same as server-sent events."""
    pieces = [{"object": "chat.completion.chunk", "choices": [{"index": 0, "delta": delta}]} for delta in deltas]
    lines = [": a sign of life", *(f"data: {json.dumps(piece)}" for piece in pieces), *(["data: [DONE]"] * done)]
    return Reply(("\n\n".join(lines) + "\n\n").encode(), form="text/event-stream")


def refused(status: int, message: str) -> Reply:
    return Reply(json.dumps({"error": {"message": message}}).encode(), status)


class ChatServer:
    """A server on a free port. It returns `answers` in turn, the last one repeatedly; a function gets the request."""

    def __init__(self, *answers: Reply | Answer) -> None:
        self.answers = list(answers)
        self.requests: list[Request] = []
        self.headers: list[dict[str, str]] = []
        self.paths: list[str] = []
        self._server = ToolServer(("127.0.0.1", 0), _handler(self))
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.01,), daemon=True)

    @property
    def url(self) -> str:
        """The value of WA_LLM_URL."""
        return f"http://127.0.0.1:{self._server.server_address[1]}"

    def asked(self, n: int = -1) -> list[tuple[str, str]]:
        """Role and text of each message of a request, without the prompt."""
        return [(one["role"], one["content"]) for one in self.requests[n]["messages"][1:]]

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._server.shutdown()
        self._server.server_close()
        self._thread.join(5)


def _handler(server: ChatServer) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_POST(self) -> None:
            request = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
            server.requests.append(request)
            server.headers.append({name.lower(): value for name, value in self.headers.items()})
            server.paths.append(self.path)
            answer = server.answers.pop(0) if len(server.answers) > 1 else server.answers[0]
            reply = answer if isinstance(answer, Reply) else answer(request)
            reply.before(self.client_address[1])
            self.send_response(reply.status)
            self.send_header("Content-Type", reply.form)
            self.send_header("Transfer-Encoding", "chunked")
            for name, value in reply.headers.items():
                self.send_header(name, value)
            self.end_headers()
            for line in reply.body.splitlines(keepends=True):
                self.wfile.write(f"{len(line):x}\r\n".encode() + line + b"\r\n")
                self.wfile.flush()
            self.wfile.write(b"0\r\n\r\n")
            self.wfile.flush()
            reply.after(self.client_address[1])

        def log_message(self, *_: object) -> None:
            """Do not log requests."""

    return Handler
