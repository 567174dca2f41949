"""Callers that come in crowds, stall or violate HTTP get a response and do not delay others."""

from __future__ import annotations

import contextlib
import json
import socket
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
import requests

from tests.e2e.leaks import SPOKEN
from tests.e2e.phones import API_KEY, customer, delivery, message, messages
from tests.e2e.stack import Stack
from tests.eventually import eventually

KEY = f"Authorization: Bearer {API_KEY}\r\n"
FORM = "Content-Type: multipart/form-data; boundary=x\r\n"
JSON = "Content-Type: application/json\r\n"
CROWD = 400


class Caller:
    """A connection on which a test writes arbitrary bytes."""

    def __init__(self, stack: Stack) -> None:
        host, port = stack.url.removeprefix("http://").split(":")
        self._socket = socket.create_connection((host, int(port)), timeout=20)

    def write(self, raw: str | bytes) -> None:
        self._socket.sendall(raw.encode() if isinstance(raw, str) else raw)

    def answer(self) -> tuple[int, str, Any]:
        """Read the next response; return its status, content type and JSON."""
        with self._socket.makefile("rb") as lines:
            status = int(lines.readline().split()[1])
            headers = dict(line.decode().strip().split(": ", 1) for line in iter(lines.readline, b"\r\n"))
            body = lines.read(int(headers["Content-Length"]))
        return status, headers["Content-Type"], json.loads(body) if body else None

    def close(self) -> None:
        self._socket.close()


@contextlib.contextmanager
def callers(stack: Stack, count: int) -> Iterator[list[Caller]]:
    opened: list[Caller] = []
    try:
        opened += (Caller(stack) for _ in range(count))
        yield opened
    finally:
        for caller in opened:
            caller.close()


def webhook(stack: Stack, n: int) -> int:
    return stack.webhooks.post(delivery(messages(message(customer(n), f"{SPOKEN} {n}"))))


def answered(stack: Stack) -> None:
    """Wait until all customers have their replies, so that the next test does not wait for them."""
    eventually(lambda: stack.waiting() == 0, within=30)


@pytest.mark.parametrize("key", ["", KEY], ids=["no_key", "a_key"])
def test_a_crowd_of_calls_does_not_turn_a_signed_webhook_away(stack: Stack, key: str) -> None:
    call = f"GET /v1/messages/nobody HTTP/1.1\r\nHost: localhost\r\n{key}\r\n"
    with callers(stack, CROWD) as crowd, ThreadPoolExecutor(4) as pool:
        for caller in crowd:
            caller.write(call[:-2])
        for caller in crowd:
            caller.write(call[-2:])
        told = Counter(pool.map(webhook, [stack] * 40, range(40)))
        statuses = Counter(caller.answer()[0] for caller in crowd)

    answered(stack)
    assert told == {200: 40}
    # On a busy machine some calls get 503; a caller without a key may reach its rate limit.
    assert set(statuses) <= ({404, 503} if key else {401, 429})


def test_callers_that_stall_hold_nobody_up(stack: Stack) -> None:
    stalled = [
        "GET /v1/events HT",
        f"POST /v1/messages HTTP/1.1\r\nHost: localhost\r\n{KEY}{JSON}Content-Length: 100\r\n\r\n{{",
        f"POST /v1/media HTTP/1.1\r\nHost: localhost\r\n{KEY}{FORM}Content-Length: 100000\r\n\r\n--x\r\n",
        f"POST /v1/messages HTTP/1.1\r\nHost: localhost\r\n{KEY}{JSON}Transfer-Encoding: chunked\r\n\r\n5\r\n{{",
        "POST /webhooks/whatsapp HTTP/1.1\r\nHost: localhost\r\nContent-Length: 100\r\n\r\n{",
    ]
    with callers(stack, 40 * len(stalled)) as waiting:
        for n, caller in enumerate(waiting):
            caller.write(stalled[n % len(stalled)])
        told = {webhook(stack, n) for n in range(10)}
        told |= {stack.api("GET", "/v1/events", timeout=5).status_code for _ in range(10)}

    answered(stack)
    assert told == {200}


@pytest.mark.parametrize(
    ("path", "headers"),
    [("/v1/messages", KEY + JSON), ("/v1/media", KEY + FORM), ("/webhooks/whatsapp", JSON)],
    ids=["messages", "media", "webhook"],
)
@pytest.mark.parametrize(
    "body",
    [b"zz\r\nhello\r\n0\r\n\r\n", b"5\r\nhelloXX0\r\n\r\n", b"1\r\nx\r\n" * 2_000],
    ids=["no_size", "no_end", "flood"],
)
def test_chunks_that_cannot_be_read_are_a_problem(stack: Stack, path: str, headers: str, body: bytes) -> None:
    with callers(stack, 1) as (caller,):
        caller.write(
            f"POST {path} HTTP/1.1\r\nHost: localhost\r\n{headers}Transfer-Encoding: chunked\r\n\r\n".encode() + body
        )

        status, content_type, problem = caller.answer()

    assert (status, content_type, problem["type"]) == (400, "application/problem+json", "/docs#invalid-request")


@pytest.mark.parametrize(("path", "largest"), [("/v1/messages", 1), ("/webhooks/whatsapp", 4)])
def test_more_chunks_than_are_taken_are_too_large(stack: Stack, path: str, largest: int) -> None:
    pieces = (b" " * 65_536 for _ in range(largest * 16 + 1))  # one chunk more than that many MiB
    headers = {"Authorization": f"Bearer {API_KEY}", "Content-Type": "application/json"}

    answer = requests.post(f"{stack.url}{path}", data=pieces, headers=headers, timeout=20)

    assert (answer.status_code, answer.json()["type"]) == (413, "/docs#too-large")


def test_a_message_in_chunks_is_taken(stack: Stack) -> None:
    raw = json.dumps({"to": customer(1), "text": f"{SPOKEN} in chunks"}).encode()
    headers = {"Content-Type": "application/json"}

    answer = stack.api("POST", "/v1/messages", data=iter([raw[:10], raw[10:]]), headers=headers)

    assert answer.status_code == 200


@pytest.mark.parametrize(
    ("request_head", "status"),
    [
        ("GET /" + "a" * 5000 + " HTTP/1.1\r\nHost: localhost\r\n\r\n", 414),
        (f"GET / HTTP/1.1\r\nHost: localhost\r\n{SPOKEN}\r\n\r\n", 400),
        ("GET / HTTP/1.1\r\nHost: localhost\r\n" + "A: b\r\n" * 100 + "\r\n", 431),
        (f"{SPOKEN}\r\n\r\n", 400),
    ],
    ids=["long_line", "no_header", "many_headers", "no_http"],
)
def test_what_the_server_itself_refuses_is_a_problem_too(stack: Stack, request_head: str, status: int) -> None:
    """The log does not quote the request."""
    with callers(stack, 1) as (caller,):
        caller.write(request_head)

        told, content_type, problem = caller.answer()

    assert (told, content_type, problem["status"]) == (status, "application/problem+json", status)
