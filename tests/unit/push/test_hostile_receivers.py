"""Whatever a subscriber returns: no worker blocks, no loop ends, sizes are bounded."""

from __future__ import annotations

import gzip
import ipaddress
import socket
import threading
from collections.abc import Iterator
from contextlib import closing, suppress
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import parse_qsl, urlsplit

import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from structlog.testing import capture_logs

from tests.hostile_shapes import OFTEN, measured
from tests.received_request import receive_request
from tests.unit.push.test_pusher import Receiver, delivery, pusher, subscription
from wa_service.push.handshake import HandshakeFailedError, handshake
from wa_service.push.pusher import LONGEST_RETRY_AFTER, Pusher
from wa_service.resilience.destinations import DestinationPolicy
from wa_service.resilience.http import HttpAnswer, HttpCaller, HttpCallError
from wa_service.runtime import PUSH_ANSWER_BYTES
from wa_service.store.subscriptions import RETRY_SECONDS

pytestmark = pytest.mark.usefixtures("frozen_heap")

POLICY = DestinationPolicy([ipaddress.ip_network("127.0.0.0/8")])
LONGEST_ANSWER = 100
"""The maximum length of a stored, logged or displayed response, in characters."""
BOMB = gzip.compress(bytes(50 * 1024 * 1024), 9)
PAUSES = st.one_of(
    st.sampled_from(["1-", "1:", " ", "a,", "(", '"', "9", "Mon, ", "-", "+", "\u0663", "é"]).flatmap(
        lambda piece: st.integers(1, 30_000).map(lambda count: piece * count)
    ),
    st.sampled_from(["inf", "nan", "-5", "1e400", "0x10", "", "1 Jan", "Mon, 01 Jan 99999999 00:00:00 GMT"]),
    st.text(max_size=60),
)
HEADS = st.one_of(
    st.sampled_from(
        [
            b"",
            b"\r\n\r\n",
            b"HTTP/1.1 \r\n\r\n",
            b"HTTP/9.9 200 OK\r\n\r\n",
            b"HTTP/1.1 99999 OK\r\n\r\n",
            b"HTTP/1.1 -1 OK\r\n\r\n",
            b"HTTP/1.1 200 " + b"x" * 100_000,
            b"HTTP/1.1 200 OK\r\n" + b"A: b\r\n" * 30_000,
            b"HTTP/1.1 200 OK\r\nA: " + b"b" * 200_000 + b"\r\n\r\n",
            b"HTTP/1.1 200 OK\r\n" + b" : \r\n" * 90 + b"\r\n",
            b"HTTP/1.1 100 Continue\r\n\r\n" * 5_000,
            b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n" + b"f" * 60_000,
            b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n",
            b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n-1\r\nx\r\n",
            b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n" + b"1\r\na\r\n" * 60_000,
            b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nffffffffffffffffffff\r\nx\r\n",
            b"HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\n\r\n" + BOMB,
            b"HTTP/1.1 200 OK\r\nContent-Encoding: gzip, gzip\r\n\r\n" + gzip.compress(BOMB),
            b"HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\n\r\nnone",
            b"HTTP/1.1 200 OK\r\nContent-Encoding: " + b"gzip, " * 5_000 + b"\r\n\r\nx",
            b"HTTP/1.1 302 Found\r\nLocation: http://127.0.0.1:1/\r\nContent-Length: 0\r\n\r\n",
        ]
    ),
    st.sampled_from(["-5", "1, 2", "9" * 5_000, "x", "1e3", "\u0663"]).map(
        lambda length: f"HTTP/1.1 200 OK\r\nContent-Length: {length}\r\n\r\nabc".encode()
    ),
    st.binary(max_size=200).map(lambda noise: b"HTTP/1.1 200 OK\r\n" + noise),
    st.binary(max_size=200),
)


class Tool:
    """A server that reads a request and responds with the given raw bytes."""

    def __init__(self) -> None:
        self.answer = b""
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.url = f"http://127.0.0.1:{self._listener.getsockname()[1]}/"
        self._thread = threading.Thread(target=self._serve)
        self._thread.start()

    def close(self) -> None:
        """Stop the server."""
        self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        self._thread.join()

    def _serve(self) -> None:
        while True:
            try:
                client, _ = self._listener.accept()
            except OSError:
                return
            with client, suppress(OSError):  # the client may close the connection early
                receive_request(client)
                client.sendall(self.answer)


@pytest.fixture(scope="module")
def tool() -> Iterator[Tool]:
    tool = Tool()
    yield tool
    tool.close()


@pytest.mark.chaos
@OFTEN
@given(PAUSES, st.sampled_from([100, 204, 302, 404, 410, 429, 500, 503, 999]), st.binary(max_size=100))
def test_whatever_is_answered_to_an_event_is_judged(asked: str, status: int, body: bytes) -> None:
    judge = pusher(Receiver(HttpAnswer(status, body, {"Retry-After": asked})))

    with capture_logs() as lines:
        pushed = measured(lambda: judge.push(subscription(), delivery()))

    assert pushed.outcome in {"taken", "failed", "gone"}
    assert len(pushed.answer) <= LONGEST_ANSWER
    assert 0 <= pushed.requested_delay <= LONGEST_RETRY_AFTER
    assert 0 <= pushed.delay <= RETRY_SECONDS[-1]
    assert lines == []


@pytest.mark.chaos
@OFTEN
@given(HEADS)
@example(b"HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\n\r\n" + BOMB)
def test_whatever_comes_over_the_connection_is_judged(tool: Tool, answer: bytes) -> None:
    tool.answer = answer
    with closing(HttpCaller(max_answer=PUSH_ANSWER_BYTES, policy=POLICY)) as caller:
        pushed = measured(lambda: Pusher(caller.notify).push(subscription(url=tool.url), delivery()))

    assert pushed.outcome in {"taken", "failed"}
    assert len(pushed.answer) <= LONGEST_ANSWER


@pytest.mark.parametrize(
    "body",
    [
        b"Content-Length: 70000\r\n\r\n" + b"x" * 70_000,
        b"Content-Length: 9\r\n\r\nshort",
        b"Content-Encoding: gzip\r\nContent-Length: 4\r\n\r\nnone",
        b"Transfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n",
    ],
)
def test_an_event_that_was_answered_with_200_is_taken_whatever_its_body(tool: Tool, body: bytes) -> None:
    tool.answer = b"HTTP/1.1 200 OK\r\n" + body
    with closing(HttpCaller(max_answer=PUSH_ANSWER_BYTES, policy=POLICY)) as caller:
        for _ in range(2):  # nothing of the first answer is read as the second
            pushed = Pusher(caller.notify).push(subscription(url=tool.url), delivery())
            assert (pushed.outcome, pushed.answer) == ("taken", "200")


@pytest.mark.chaos
@OFTEN
@given(HEADS, st.booleans())
def test_whatever_a_tool_sends_is_an_answer_or_an_error(tool: Tool, answer: bytes, is_guarded: bool) -> None:
    tool.answer = answer

    def post() -> str:
        with closing(HttpCaller(max_answer=PUSH_ANSWER_BYTES, policy=POLICY if is_guarded else None)) as caller:
            try:
                return str(len(caller.post(tool.url, seconds=5, headers={}, data=b"{}").body))
            except HttpCallError as error:
                return str(error)

    assert len(measured(post)) <= LONGEST_ANSWER


class Agreeing(BaseHTTPRequestHandler):
    """A subscriber that returns the handshake's challenge if the token is correct."""

    def do_GET(self) -> None:
        query = dict(parse_qsl(urlsplit(self.path).query))
        answer = query["hub.challenge"] if query["hub.verify_token"] == "a-token" else "no"
        self.send_response(200)
        self.end_headers()
        self.wfile.write(answer.encode())

    def log_message(self, *_: object) -> None:
        """Log nothing."""


def test_a_handshake_that_is_answered_with_the_challenge_is_made() -> None:
    with ThreadingHTTPServer(("127.0.0.1", 0), Agreeing) as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        url = f"http://127.0.0.1:{server.server_port}/hook?a=b"
        try:
            handshake(url, "a-token", POLICY)
            with pytest.raises(HandshakeFailedError, match="not answered with the challenge"):
                handshake(url, "another", POLICY)
        finally:
            server.shutdown()
            thread.join()


def test_a_handshake_with_nobody_is_told_in_a_sentence() -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
    with pytest.raises(HandshakeFailedError, match=r"The handshake failed: NewConnectionError\."):
        handshake(f"http://127.0.0.1:{port}/", "a-token", POLICY)
    with pytest.raises(HandshakeFailedError, match=r"is not public\. Open its network with WA_PUSH_ALLOW\.$"):
        handshake("http://10.0.0.1/", "a-token", POLICY)


@pytest.mark.chaos
@OFTEN
@given(HEADS)
def test_whatever_a_handshake_is_answered_with_is_a_refusal(tool: Tool, answer: bytes) -> None:
    tool.answer = answer

    def shake() -> str:
        with pytest.raises(HandshakeFailedError) as raised:
            handshake(tool.url, "a-token", POLICY)
        return str(raised.value)

    assert len(measured(shake)) <= LONGEST_ANSWER
