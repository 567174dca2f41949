"""Connections go only to the address that the policy checked; over real sockets."""

from __future__ import annotations

import ipaddress
import ssl
import subprocess
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest
import requests
import urllib3

from wa_service.resilience.destinations import DestinationPolicy
from wa_service.resilience.guarded_adapter import GuardedAdapter, RefusedURLError
from wa_service.resilience.http import HttpCaller
from wa_service.runtime import PUSH_CONNECTIONS
from wa_service.worker.push import SIDE_BY_SIDE

LOOPBACK = [ipaddress.ip_network("127.0.0.0/8")]


class Receiver(BaseHTTPRequestHandler):
    """A handler that responds 200 with the request's `Host` header and redirects `/away`."""

    protocol_version = "HTTP/1.1"

    def do_POST(self) -> None:
        self.rfile.read(int(self.headers["Content-Length"]))
        body = self.headers["Host"].encode()
        self.send_response(302 if self.path == "/away" else 200)
        self.send_header("Location", "http://169.254.169.254/")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: object) -> None:
        """Log nothing."""


def post(adapter: GuardedAdapter, url: str) -> urllib3.BaseHTTPResponse:
    """POST as the service pushes events."""
    return adapter.post(url, b"x", {"X": "y"}, connect_seconds=5, read_seconds=5)


@pytest.fixture
def server() -> Iterator[ThreadingHTTPServer]:
    with ThreadingHTTPServer(("127.0.0.1", 0), Receiver) as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        yield server
        server.shutdown()
        thread.join()


def session(policy: DestinationPolicy) -> requests.Session:
    session = requests.Session()
    session.trust_env = False
    for scheme in ("http://", "https://"):
        session.mount(scheme, GuardedAdapter(policy))
    return session


def test_loopback_is_refused_before_anything_is_connected(server: ThreadingHTTPServer) -> None:
    with pytest.raises(RefusedURLError, match="WA_PUSH_ALLOW"):
        session(DestinationPolicy()).post(f"http://localhost:{server.server_port}/", data=b"x", timeout=(5, 5))


def test_the_judged_address_is_connected_to_and_hears_the_name(server: ThreadingHTTPServer) -> None:
    policy = DestinationPolicy(LOOPBACK, look_up=lambda _host, _port: ["127.0.0.1"])
    answer = session(policy).post(f"http://tool.example:{server.server_port}/", data=b"x", timeout=(5, 5))
    assert answer.content.decode() == f"tool.example:{server.server_port}"


def test_a_name_that_turns_private_between_two_calls_is_refused(server: ThreadingHTTPServer) -> None:
    answers = iter([["127.0.0.1"], ["10.0.0.1"]])
    rebinding = session(DestinationPolicy(LOOPBACK, look_up=lambda _host, _port: next(answers)))
    url = f"http://tool.example:{server.server_port}/"
    assert rebinding.post(url, data=b"x", timeout=(5, 5)).status_code == 200
    with pytest.raises(RefusedURLError):
        rebinding.post(url, data=b"x", timeout=(5, 5))


def test_a_push_goes_to_the_judged_address_follows_no_redirect_and_is_judged_each_time(
    server: ThreadingHTTPServer,
) -> None:
    answers = iter([["127.0.0.1"], ["127.0.0.1"], ["10.0.0.1"]])
    adapter = GuardedAdapter(DestinationPolicy(LOOPBACK, look_up=lambda _host, _port: next(answers)))
    url = f"http://tool.example:{server.server_port}"
    assert post(adapter, url).read().decode() == f"tool.example:{server.server_port}"
    away = post(adapter, f"{url}/away")
    assert (away.status, len(away.read())) == (302, len(url) - len("http://"))
    with pytest.raises(RefusedURLError, match="WA_PUSH_ALLOW"):
        post(adapter, url)


def test_as_many_connections_are_kept_as_are_used_side_by_side() -> None:
    together, connections = threading.Barrier(PUSH_CONNECTIONS), set()

    class Crowd(Receiver):
        def do_POST(self) -> None:
            connections.add(self.client_address)
            together.wait(20)
            super().do_POST()

    class Server(ThreadingHTTPServer):
        request_queue_size = PUSH_CONNECTIONS
        daemon_threads = True

    with Server(("127.0.0.1", 0), Crowd) as server, ThreadPoolExecutor(PUSH_CONNECTIONS) as pool:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        caller = HttpCaller(policy=DestinationPolicy(LOOPBACK), pool_size=PUSH_CONNECTIONS, connect_seconds=20)
        url = f"http://127.0.0.1:{server.server_port}/"

        def call(_: int) -> int:
            return caller.post(url, seconds=20, headers={}, data=b"x").status

        for _ in range(3):
            assert set(pool.map(call, range(PUSH_CONNECTIONS))) == {200}
        server.shutdown()
        thread.join()
    assert PUSH_CONNECTIONS >= SIDE_BY_SIDE
    assert len(connections) == PUSH_CONNECTIONS


def test_a_redirect_is_not_followed(server: ThreadingHTTPServer) -> None:
    policy = DestinationPolicy(LOOPBACK)
    url = f"http://127.0.0.1:{server.server_port}/away"
    assert session(policy).post(url, data=b"x", timeout=(5, 5), allow_redirects=False).status_code == 302


def test_the_certificate_must_bear_the_name_of_the_url(
    tmp_path: Path, server: ThreadingHTTPServer, require_program: Callable[[str], Path]
) -> None:
    key, certificate = tmp_path / "key.pem", tmp_path / "certificate.pem"
    command = [str(require_program("openssl")), "req", "-x509", "-newkey", "ec", "-nodes", "-days", "1"]
    command += ["-pkeyopt", "ec_paramgen_curve:prime256v1", "-subj", "/CN=tool.example"]
    command += ["-addext", "subjectAltName=DNS:tool.example", "-keyout", str(key), "-out", str(certificate)]
    subprocess.run(command, check=True, capture_output=True)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate, key)
    server.socket = context.wrap_socket(server.socket, server_side=True)
    policy = DestinationPolicy(LOOPBACK, look_up=lambda _host, _port: ["127.0.0.1"])
    calls = session(policy)
    port = server.server_port
    right = calls.post(f"https://tool.example:{port}/", data=b"x", timeout=(5, 5), verify=str(certificate))
    assert right.content.decode() == f"tool.example:{port}"
    with pytest.raises(urllib3.exceptions.SSLError):
        post(GuardedAdapter(policy), f"https://tool.example:{port}/")  # the certificate is not trusted
    assert post(GuardedAdapter(policy, ca_bundle=certificate), f"https://tool.example:{port}/").status == 200
    with closing(HttpCaller(policy=policy, ca_bundle=certificate)) as caller:
        content = {"files": {"x": b"y"}}  # through requests
        assert caller.post(f"https://tool.example:{port}/", seconds=5, headers={}, **content).status == 200
    with pytest.raises(urllib3.exceptions.SSLError):
        calls.post(f"https://other.example:{port}/", data=b"x", timeout=(5, 5), verify=str(certificate))
