"""A large file on a slow connection: the time for the body depends on its size; the response has its own."""

from __future__ import annotations

import io
import socket
import threading
import time
from collections.abc import Callable

import pytest
import requests_mock

from tests.unit.whatsapp.conftest import RawServer
from wa_service.whatsapp.client import WhatsAppMetaClient
from wa_service.whatsapp.errors import WhatsAppOutcomeUnknownError
from wa_service.whatsapp.http.deadline import Watchdog
from wa_service.whatsapp.http.transport import Transport
from wa_service.whatsapp.media.uploads import MultipartForm, open_upload

# More than the kernel buffers, so that the body is sent only when the server reads.
SIZE = 24 * 1024 * 1024
DEADLINE = 0.6
NUMBER = "106540352242922"
ANSWER = b'HTTP/1.1 200 OK\r\nContent-Length: 12\r\n\r\n{"id":"123"}'

Script = Callable[[socket.socket, threading.Event], None]


def upload(url: str, *, body_seconds: float) -> dict[str, object]:
    pdf = open_upload(io.BytesIO(b"x" * SIZE), mime_type="application/pdf", filename="a.pdf")
    form = MultipartForm({"messaging_product": "whatsapp", "type": pdf.mime_type}, pdf)
    headers = {"Content-Type": form.content_type, "Content-Length": str(len(form))}
    transport = Transport(url, "v24.0", "token", call_seconds=DEADLINE)
    try:
        return transport.request(
            "media_upload", "POST", "1/media", data=form, headers=headers, body_seconds=body_seconds
        )
    finally:
        transport.close()


def taking(seconds: float, then: bytes) -> Script:
    """Return a script that starts to read after `seconds`, reads the whole file and sends `then`, if any."""

    def script(connection: socket.socket, stop: threading.Event) -> None:
        stop.wait(seconds)
        left = SIZE - 65_536  # some came with the head
        while left > 0 and (part := connection.recv(1024 * 1024)):
            left -= len(part)
        if then:
            connection.sendall(then)
        stop.wait()

    return script


def test_an_upload_that_takes_longer_than_an_answer_may_is_answered(raw_server: RawServer) -> None:
    raw_server.script = taking(2 * DEADLINE, ANSWER)

    assert upload(raw_server.url, body_seconds=20) == {"id": "123"}


def test_once_the_file_is_out_the_answer_has_the_time_of_any_other(raw_server: RawServer) -> None:
    raw_server.script = taking(0, b"")

    with pytest.raises(WhatsAppOutcomeUnknownError):
        upload(raw_server.url, body_seconds=600)


def test_a_file_that_does_not_get_out_in_its_time_is_given_up(raw_server: RawServer) -> None:
    raw_server.script = taking(600, b"")
    started = time.monotonic()

    with pytest.raises(WhatsAppOutcomeUnknownError):
        upload(raw_server.url, body_seconds=0.1)

    assert time.monotonic() - started > DEADLINE


def test_the_client_gives_a_file_its_time_beside_that_of_the_answer() -> None:
    given: list[float] = []

    def deadline(seconds: float, hang_up: Callable[[], None]) -> Watchdog:
        given.append(seconds)
        return Watchdog(seconds, hang_up)

    meta = requests_mock.Adapter()
    meta.register_uri("POST", f"https://graph.example/v24.0/{NUMBER}/media", json={"id": "123"})
    client = WhatsAppMetaClient(
        "token", NUMBER, api_version="v24.0", base_url="https://graph.example", adapter=meta, deadline=deadline
    )

    client.upload_media(b"x" * 10_000_000, mime_type="application/pdf")

    assert given == [pytest.approx(30 + 80, abs=5)]


@pytest.mark.parametrize(("size", "seconds"), [(1_000, 0.01), (16_000_000, 128), (100_000_000, 600)])
def test_a_file_has_the_time_that_a_slow_line_needs_and_no_more_than_ten_minutes(size: int, seconds: float) -> None:
    file = open_upload(b"x" * size, mime_type="application/pdf")

    assert MultipartForm({}, file).seconds == pytest.approx(seconds, rel=0.5)
