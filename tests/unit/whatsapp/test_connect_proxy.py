"""A proxy: the client requests a tunnel, verifies TLS inside it, and honours `no_proxy`."""

from __future__ import annotations

import re
import socket
import ssl
import subprocess
import threading
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest

from tests.unit.whatsapp.conftest import RawServer
from wa_service.whatsapp import WhatsAppConnectionError, WhatsAppError, WhatsAppMetaClient
from wa_service.whatsapp.http.proxy_map import ProxyMap
from wa_service.whatsapp.http.transport import Transport

ANSWER = b'{"messages":[{"id":"wamid.X"}]}'


@pytest.fixture(scope="module")
def certificate(tmp_path_factory: pytest.TempPathFactory, require_program: Callable[..., Path]) -> Any:
    """Create a self-signed certificate for graph.test and return its folder."""
    folder = tmp_path_factory.mktemp("tls")
    command: list[str | Path] = [
        *(require_program("openssl"), "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1"),
        *("-nodes", "-days", "2", "-subj", "/CN=graph.test", "-addext", "subjectAltName=DNS:graph.test"),
        *("-keyout", folder / "key.pem", "-out", folder / "cert.pem"),
    ]
    subprocess.run(command, check=True, capture_output=True, timeout=30)
    return folder


def read_request(connection: Any) -> Any:
    """Return head and body: closing the connection with an unread body would reset it."""
    file = connection.makefile("rb")
    head = b"".join(iter(file.readline, b"\r\n"))
    length = re.search(rb"(?i)content-length: (\d+)", head)
    return head + b"\r\n" + (file.read(int(length[1])) if length else b"")


class Proxy:
    """A CONNECT proxy that ends every tunnel at its own TLS server, whatever the host."""

    def __init__(self, folder: Any) -> None:
        self.asked: list[bytes] = []
        self.requests: list[bytes] = []
        self.dripping = False
        self._context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        self._context.load_cert_chain(folder / "cert.pem", folder / "key.pem")
        self._stop = threading.Event()
        self._socket = socket.create_server(("127.0.0.1", 0))
        self.url = f"http://127.0.0.1:{self._socket.getsockname()[1]}"
        self._threads = [threading.Thread(target=self._accept, daemon=True)]
        self._threads[0].start()

    def _accept(self) -> None:
        while True:
            try:
                connection, _ = self._socket.accept()
            except OSError:
                return
            connection.settimeout(10)
            thread = threading.Thread(target=self._serve, args=(connection,), daemon=True)
            self._threads.append(thread)
            thread.start()

    def _serve(self, connection: Any) -> None:
        with suppress(OSError), connection:
            self.asked.append(read_request(connection))
            connection.sendall(b"HTTP/1.1 200 Connection established\r\n\r\n")
            with self._context.wrap_socket(connection, server_side=True) as secure:
                self.requests.append(read_request(secure))
                if self.dripping:
                    secure.sendall(b"HTTP/1.1 200 OK\r\n")
                    while not self._stop.wait(0.02):
                        secure.sendall(b"X")
                secure.sendall(b"HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: %d\r\n\r\n" % len(ANSWER))
                secure.sendall(ANSWER)

    def close(self) -> None:
        self._stop.set()
        with suppress(OSError):
            self._socket.shutdown(socket.SHUT_RDWR)
        self._socket.close()
        for thread in self._threads:
            thread.join(5)


@pytest.fixture
def proxy(certificate: Any) -> Iterator[Any]:
    running = Proxy(certificate)
    yield running
    running.close()


def client(proxy: Any, ca_bundle: Any, **more: Any) -> Any:
    return WhatsAppMetaClient(
        "EAAtoken",
        "106",
        base_url="https://graph.test",
        proxies={"https": proxy.url, **more},
        ca_bundle=str(ca_bundle) if ca_bundle else None,
    )


def test_a_message_is_sent_through_the_proxy_s_tunnel(proxy: Any, certificate: Any) -> None:
    sent = client(proxy, certificate / "cert.pem").send_message(to="15551234567", text="hi")
    assert sent.wamid == "wamid.X"
    assert proxy.asked[0].startswith(b"CONNECT graph.test:443 ")
    assert proxy.requests[0].startswith(b"POST /v18.0/106/messages ")


def test_the_proxy_does_not_get_the_token(proxy: Any, certificate: Any) -> None:
    client(proxy, certificate / "cert.pem").send_message(to="15551234567", text="hi")
    assert b"EAAtoken" not in proxy.asked[0]
    assert b"EAAtoken" in proxy.requests[0]


def test_a_certificate_that_nobody_vouches_for_keeps_the_message_here(proxy: Any) -> None:
    with pytest.raises(WhatsAppConnectionError):
        client(proxy, None).send_message(to="15551234567", text="hi")
    assert proxy.requests == []


def test_a_host_of_no_proxy_is_called_directly(proxy: Any, certificate: Any) -> None:
    with pytest.raises(WhatsAppConnectionError):  # graph.test has no address outside the tunnel
        client(proxy, certificate / "cert.pem", no_proxy="localhost,.test").send_message(to="15551234567", text="hi")
    assert proxy.asked == []


def test_the_deadline_holds_inside_tls_too(proxy: Any, certificate: Any) -> None:
    proxy.dripping = True
    transport = Transport(
        "https://graph.test",
        "v23.0",
        "EAAtoken",
        proxies={"https": proxy.url},
        ca_bundle=str(certificate / "cert.pem"),
        call_seconds=0.6,
    )
    with pytest.raises(WhatsAppError) as caught:
        transport.post_json("messages", "106/messages", {})
    assert caught.value.group == "unknown"


def test_a_proxy_that_drips_is_left_when_the_time_is_over(raw_server: RawServer, drip: Any) -> None:
    raw_server.script = drip(b"HTTP/1.1 200 OK\r\n", b"X-Slow: y\r\n")
    transport = Transport(
        "https://graph.test", "v23.0", "EAAtoken", proxies={"https": raw_server.url}, call_seconds=0.3
    )
    with pytest.raises(WhatsAppConnectionError):
        transport.post_json("messages", "106/messages", {})


PROXIES = {"https": "http://p.example:3128", "no_proxy": "localhost, .internal.example,10.0.0.1,exact.example:8443"}


@pytest.mark.parametrize(
    ("url", "used"),
    [
        ("https://graph.facebook.com/x", True),
        ("http://graph.facebook.com/x", False),
        ("https://localhost/x", False),
        ("https://a.internal.example/x", False),
        ("https://internal.example/x", False),
        ("https://notinternal.example/x", True),
        ("https://10.0.0.1/x", False),
        ("https://exact.example:8443/x", False),
        ("https://exact.example/x", True),
    ],
)
def test_which_urls_go_through_the_proxy(url: str, used: Any) -> None:
    assert ProxyMap(PROXIES).for_url(url) == ({"https": "http://p.example:3128"} if used else {})


def test_a_star_means_no_proxy_at_all() -> None:
    assert ProxyMap({**PROXIES, "no_proxy": "*"}).for_url("https://graph.facebook.com/x") == {}


def test_one_proxy_may_serve_all_schemes() -> None:
    assert ProxyMap({"all": "http://p.example"}).for_url("http://a.example/") == {"http": "http://p.example"}
