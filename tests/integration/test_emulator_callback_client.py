"""The emulator's HTTP client: keep-alive, stale connections, timeouts, and every failure as a response."""

from __future__ import annotations

import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import pytest

from meta_emulator.callback_client import CallbackClient
from tests.received_request import receive_request

Conversation = Callable[[socket.socket], None]
OK = b"HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\nContent-Length: 2\r\n\r\nok"


@contextmanager
def serving(*conversations: Conversation) -> Iterator[str]:
    """A server that runs one conversation for each connection, in order."""
    with socket.create_server(("127.0.0.1", 0)) as listener:

        def run() -> None:
            for conversation in conversations:
                connection, _ = listener.accept()
                with connection:
                    conversation(connection)

        thread = threading.Thread(target=run, daemon=True)
        thread.start()
        yield f"http://127.0.0.1:{listener.getsockname()[1]}/hook"
        thread.join(5)


def answers(times: int) -> Conversation:
    def conversation(connection: socket.socket) -> None:
        for _ in range(times):
            receive_request(connection)
            connection.sendall(OK)

    return conversation


def silent(connection: socket.socket) -> None:
    connection.recv(65536)
    connection.recv(1)  # Until the other side gives up.


@pytest.fixture
def client() -> Iterator[CallbackClient]:
    found = CallbackClient()
    yield found
    found.close()


def test_an_answer_brings_status_body_and_type(client: CallbackClient) -> None:
    with serving(answers(1)) as url:
        answer = client.request("POST", url, timeout=5, body=b"x")
    assert (answer.status, answer.body, answer.content_type, answer.error) == (200, b"ok", "text/plain", "")


def test_a_connection_is_used_again(client: CallbackClient) -> None:
    with serving(answers(2)) as url:
        assert [client.request("GET", url, timeout=5).status for _ in range(2)] == [200, 200]


def test_a_kept_connection_that_was_closed_is_replaced(client: CallbackClient) -> None:
    with serving(answers(1), answers(1)) as url:
        assert [client.request("POST", url, timeout=5, body=b"x").status for _ in range(2)] == [200, 200]


def test_silence_ends_at_the_time_out(client: CallbackClient) -> None:
    with serving(silent) as url:
        answer = client.request("GET", url, timeout=0.1)
        client.close()
    assert (answer.status, answer.timed_out, answer.error) == (0, True, "no answer within 0.1 s")


def test_nobody_there_is_an_answer_too(client: CallbackClient) -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
    answer = client.request("GET", f"http://127.0.0.1:{port}/", timeout=5)
    assert answer.status == 0
    assert answer.error.startswith("ConnectionRefusedError")


@pytest.mark.parametrize("url", ["http://127.0.0.1:99999999/", "http://[bad/", "http://127.0.0.1:1/a b"])
def test_a_url_that_is_none_is_an_answer_too(client: CallbackClient, url: str) -> None:
    assert client.request("GET", url, timeout=1).status == 0


def test_no_more_is_read_than_asked_for(client: CallbackClient) -> None:
    with serving(answers(1)) as url:
        assert client.request("GET", url, timeout=5, limit=1).body == b"o"
