"""A POST over a real connection: forms of responses, reuse of connections, TLS."""

from __future__ import annotations

import contextlib
import gzip
import ssl
import subprocess
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.eventually import eventually
from tests.unit.whatsapp.conftest import RawServer
from wa_service.whatsapp.errors import WhatsAppConnectionError, WhatsAppError, WhatsAppOutcomeUnknownError
from wa_service.whatsapp.http.transport import Transport

YES = b'{"ok": 1}'
ORDINARY = b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: 9\r\n\r\n" + YES
PACKED = gzip.compress(YES)
ANSWERS = {
    "ordinary": ORDINARY,
    "without a reason": b"HTTP/1.1 200\r\nContent-Length: 9\r\n\r\n" + YES,
    "in small letters": b"HTTP/1.1 200 OK\r\ncontent-length:9\r\n\r\n" + YES,
    "in chunks": b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n4\r\n"
    + YES[:4]
    + b"\r\n5\r\n"
    + YES[4:]
    + b"\r\n0\r\n\r\n",
    "packed": b"HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\nContent-Length: %d\r\n\r\n" % len(PACKED) + PACKED,
    "with a folded line": b"HTTP/1.1 200 OK\r\nX-Long: a\r\n b\r\nContent-Length: 9\r\n\r\n" + YES,
    "with a word before it": b"HTTP/1.1 100 Continue\r\n\r\n" + ORDINARY,
    "of the last century": b"HTTP/1.0 200 OK\r\nContent-Length: 9\r\n\r\n" + YES,
    "with bare line feeds": b"HTTP/1.1 200 OK\nContent-Length: 9\n\n" + YES,
    "until the connection ends": b"HTTP/1.1 200 OK\r\n\r\n" + YES,
    "with its length said twice": b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\nContent-Length: 9\r\n\r\n" + YES,
}


@pytest.fixture
def transport_to() -> Iterator[Any]:
    with contextlib.ExitStack() as opened:

        def make(url: str, **more: Any) -> Any:
            transport = Transport(url, "v23.0", "EAAtoken0123456789", **more)
            opened.callback(transport.close)
            return transport

        yield make


def post(transport: Any) -> Any:
    return transport.post_json("messages", "106/messages", {"type": "text"})


def failed(transport: Any) -> Any:
    with pytest.raises(WhatsAppError) as caught:
        post(transport)
    return type(caught.value)


@pytest.mark.parametrize("name", ANSWERS)
def test_an_answer_of_any_form_is_read(transport_to: Any, raw_server: RawServer, name: str) -> None:
    raw_server.script = lambda connection, _: connection.sendall(ANSWERS[name])
    assert post(transport_to(raw_server.url)) == {"ok": 1}


@pytest.mark.parametrize("name", ["ordinary", "in chunks", "packed"])
def test_an_answer_that_comes_byte_by_byte_is_read(transport_to: Any, raw_server: RawServer, name: str) -> None:
    def script(connection: Any, _: Any) -> None:
        for byte in ANSWERS[name]:
            connection.sendall(bytes([byte]))

    raw_server.script = script
    assert post(transport_to(raw_server.url)) == {"ok": 1}


def serving(server: Any, *answers: Any) -> Any:
    """Return a script that answers one request after another on its connection."""

    def script(connection: Any, _: Any) -> None:
        for place, answer in enumerate(answers):
            if place and not server.read_request(connection):
                return
            connection.sendall(answer)

    return script


def test_the_connection_is_used_again(transport_to: Any, raw_server: RawServer) -> None:
    raw_server.script = serving(raw_server, ORDINARY, ANSWERS["in chunks"], ORDINARY)
    transport = transport_to(raw_server.url)
    assert [post(transport) for _ in range(3)] == [{"ok": 1}] * 3
    eventually(raw_server.at_rest)
    assert raw_server.connections == 1


def test_a_connection_is_not_used_again_where_the_answer_says_so(transport_to: Any, raw_server: RawServer) -> None:
    last = b"HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: 9\r\n\r\n" + YES
    raw_server.script = serving(raw_server, last, last)
    transport = transport_to(raw_server.url)
    assert [post(transport) for _ in range(2)] == [{"ok": 1}] * 2
    assert raw_server.connections == 2


UNASKED = b"HTTP/1.1 200 OK\r\nContent-Length: 11\r\n\r\n" + b'{"ok": 666}'


def test_what_is_said_after_an_answer_is_not_taken_for_the_next_one(transport_to: Any, raw_server: RawServer) -> None:
    raw_server.script = serving(raw_server, *[ORDINARY + UNASKED] * 3)
    transport = transport_to(raw_server.url)
    assert [post(transport) for _ in range(3)] == [{"ok": 1}] * 3


def test_a_connection_on_which_something_was_said_unasked_is_not_used_again(
    transport_to: Any, raw_server: RawServer
) -> None:
    said = threading.Event()

    def script(connection: Any, stop: Any) -> None:
        connection.sendall(ORDINARY)
        answered.wait(10)
        connection.sendall(UNASKED)
        said.set()
        stop.wait(10)

    answered = threading.Event()
    raw_server.script = script
    transport = transport_to(raw_server.url)
    assert post(transport) == {"ok": 1}
    answered.set()
    said.wait(10)
    assert post(transport) == {"ok": 1}
    assert raw_server.connections == 2


def test_a_connection_that_the_other_side_closed_is_opened_again(transport_to: Any, raw_server: RawServer) -> None:
    raw_server.script = lambda connection, _: connection.sendall(ORDINARY)
    transport = transport_to(raw_server.url)
    assert post(transport) == {"ok": 1}
    eventually(raw_server.at_rest)
    assert post(transport) == {"ok": 1}
    assert raw_server.connections == 2


@pytest.mark.parametrize(
    "said",
    [
        b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\n",
        b"HTTP/1.1 abc OK\r\nContent-Length: 9\r\n\r\n" + YES,
        b"SSH-2.0-OpenSSH_9.2\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n",
        b"HTTP/1.1 200 OK\r\nX: " + b"x" * 200_000,
        b"HTTP/1.1 200 OK\r\nContent-Length: " + b"9" * 5_000 + b"\r\n\r\n",
    ],
    ids=["no body", "no status", "another protocol", "a broken chunk", "an endless head", "a length beyond any"],
)
def test_what_is_no_answer_leaves_the_outcome_unknown_and_the_connection_closed(
    transport_to: Any, raw_server: RawServer, said: Any
) -> None:
    def script(connection: Any, stop: Any) -> None:
        connection.sendall(said)
        connection.shutdown(1)
        while connection.recv(65536):
            pass

    raw_server.script = script
    assert failed(transport_to(raw_server.url, read_timeout=5)) is WhatsAppOutcomeUnknownError
    eventually(raw_server.at_rest)


def test_an_answer_that_drips_ends_at_the_deadline(transport_to: Any, raw_server: RawServer, drip: Any) -> None:
    raw_server.script = drip(b"HTTP/1.1 200 OK\r\n", b"X: y\r\n")
    assert failed(transport_to(raw_server.url, call_seconds=0.3)) is WhatsAppOutcomeUnknownError


def test_a_body_that_drips_ends_at_the_deadline(transport_to: Any, raw_server: RawServer, drip: Any) -> None:
    raw_server.script = drip(b"HTTP/1.1 200 OK\r\nContent-Length: 100000\r\n\r\n", b"{")
    assert failed(transport_to(raw_server.url, call_seconds=0.3)) is WhatsAppOutcomeUnknownError


def test_a_head_names_host_and_length_and_ends_once(transport_to: Any, raw_server: RawServer) -> None:
    raw_server.script = lambda connection, _: connection.sendall(ORDINARY)
    post(transport_to(raw_server.url))
    head = raw_server.heads[0].partition(b"\r\n\r\n")[0].decode()
    start, *lines = head.split("\r\n")
    assert start == "POST /v23.0/106/messages HTTP/1.1"
    named = [line.partition(":")[0].lower() for line in lines]
    assert len(named) == len(set(named))
    assert f"Host: 127.0.0.1:{raw_server.port}" in lines
    assert "Content-Length: 15" in lines


@pytest.fixture(scope="module")
def certificate(tmp_path_factory: pytest.TempPathFactory, require_program: Callable[..., Path]) -> Any:
    """Create a certificate for 127.0.0.1 with its key and return their folder."""
    folder = tmp_path_factory.mktemp("tls")
    command = [str(require_program("openssl")), "req", "-x509", "-newkey", "ec", "-pkeyopt"]
    command += ["ec_paramgen_curve:prime256v1", "-nodes", "-days", "2", "-subj", "/CN=localhost"]
    command += ["-addext", "subjectAltName=IP:127.0.0.1", "-keyout", str(folder / "key"), "-out", str(folder / "pem")]
    subprocess.run(command, check=True, capture_output=True, timeout=30)
    return folder


def tls_server(raw_server: RawServer, certificate: Any) -> Any:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate / "pem", certificate / "key")
    raw_server.wrap = lambda connection: context.wrap_socket(connection, server_side=True)
    return raw_server.url.replace("http:", "https:")


def test_over_tls_the_certificate_must_be_a_known_one(
    transport_to: Any, raw_server: RawServer, certificate: Any
) -> None:
    raw_server.script = serving(raw_server, ORDINARY, ORDINARY)
    url = tls_server(raw_server, certificate)
    assert failed(transport_to(url)) is WhatsAppConnectionError
    assert raw_server.heads == []
    transport = transport_to(url, ca_bundle=str(certificate / "pem"))
    assert [post(transport) for _ in range(2)] == [{"ok": 1}] * 2
    assert raw_server.connections == 2  # one was refused, one was used twice
    transport.close()
