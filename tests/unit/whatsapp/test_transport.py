"""A request to Meta returns a dict or raises; an unsent request and a lost response are different errors."""

from __future__ import annotations

import contextlib
import json
import socket
import ssl
import threading
from collections.abc import Iterator
from typing import Any

import pytest
import requests
import requests_mock as requests_mocking
from requests_mock import Mocker

from tests.eventually import eventually
from tests.unit.whatsapp.conftest import LocalMeta, RawServer
from wa_service.whatsapp.errors import (
    WhatsAppAuthError,
    WhatsAppCircuitOpenError,
    WhatsAppConnectionError,
    WhatsAppError,
    WhatsAppOutcomeUnknownError,
    WhatsAppRateLimitError,
    WhatsAppServerError,
)
from wa_service.whatsapp.http.transport import ANSWER_LIMIT, Transport

TOKEN = "EAAtoken0123456789"
META = "https://graph.facebook.com"


class Observer:
    def __init__(self) -> None:
        self.heard: list[Any] = []

    def __call__(self, call: Any, outcome: Any, seconds: float) -> None:
        self.heard.append((call, outcome, seconds))


@pytest.fixture
def observer() -> Any:
    return Observer()


@pytest.fixture
def transport_to(observer: Any) -> Iterator[Any]:
    with contextlib.ExitStack() as opened:

        def make(base_url: str = META, **more: Any) -> Any:
            transport = Transport(base_url, "v23.0", TOKEN, observe=observer, **{"retry_pause": 0.01, **more})
            opened.callback(transport.close)
            return transport

        yield make


def post(transport: Any) -> Any:
    return transport.post_json("messages", "106/messages", {"type": "text", "text": {"body": "olá 🥐"}})


def get(transport: Any) -> Any:
    return transport.request("phone_number", "GET", "106", params={"fields": "id"})


def failed(call: Any, transport: Any) -> Any:
    with pytest.raises(WhatsAppError) as caught:
        call(transport)
    return caught.value


def test_a_post_is_one_json_body_with_token_and_user_agent(transport_to: Any, local_meta: LocalMeta) -> None:
    assert post(transport_to(local_meta.url)) == {}
    (request,) = local_meta.requests
    assert (request.method, request.path) == ("POST", "/v23.0/106/messages")
    assert json.loads(request.body)["text"]["body"] == "olá 🥐"
    assert request.headers["Authorization"] == f"Bearer {TOKEN}"
    assert request.headers["Content-Type"] == "application/json"
    assert request.headers["User-Agent"].startswith("wa-service/")


def connections_of(meta: Any) -> Any:
    return len({request.connection for request in meta.requests})


def test_one_connection_serves_many_posts(transport_to: Any, local_meta: LocalMeta) -> None:
    transport = transport_to(local_meta.url)
    assert [post(transport) for _ in range(5)] == [{}] * 5
    assert connections_of(local_meta) == 1


def test_query_values_are_written_as_graph_takes_them(transport_to: Any, local_meta: LocalMeta) -> None:
    params = {"fields": "id,name", "limit": 5, "ids": ["1", "2"], "live": True, "none": None}
    transport_to(local_meta.url).request("graph", "GET", "/106/x", params=params)
    assert local_meta.paths == ["/v23.0/106/x?fields=id%2Cname&limit=5&ids=%5B%221%22%2C%222%22%5D&live=true"]


@pytest.mark.parametrize(
    "path", ["https://evil.example/x", "//evil.example/../x", "a/../b", "a?b=c", "a b", "a\nb", "a#b"]
)
def test_a_path_leads_nowhere_else(transport_to: Any, path: str) -> None:
    with pytest.raises(ValueError, match="path"):
        transport_to().request("graph", "GET", path)


@pytest.mark.parametrize("base", ["", "graph.facebook.com", "ftp://a.example", "https://user:pw@a.example", "https://"])
def test_a_base_url_must_be_one(base: Any) -> None:
    with pytest.raises(ValueError, match="base URL"):
        Transport(base, "v23.0", TOKEN)


def test_requests_mock_can_stand_in_for_meta(transport_to: Any, requests_mock: Mocker) -> None:
    requests_mock.post(f"{META}/v23.0/106/messages", json={"ok": 1})
    assert post(transport_to()) == {"ok": 1}


def test_an_adapter_can_stand_in_for_the_network(transport_to: Any) -> None:
    adapter = requests_mocking.Adapter()
    adapter.register_uri("POST", f"{META}/v23.0/106/messages", json={"ok": 1})
    assert post(transport_to(adapter=adapter)) == {"ok": 1}


def answering(status: Any, body: Any = b"", headers: Any = None) -> Any:
    return lambda _: (status, headers or {}, body if isinstance(body, bytes) else json.dumps(body).encode())


def test_metas_error_object_decides_whatever_the_status(transport_to: Any, local_meta: LocalMeta) -> None:
    local_meta.answers = answering(500, {"error": {"code": 131056, "message": "pair"}})
    error = failed(post, transport_to(local_meta.url))
    assert (type(error), error.group) == (WhatsAppRateLimitError, "pair")


def test_an_error_object_that_quotes_half_an_emoji_decides_as_well(transport_to: Any, local_meta: LocalMeta) -> None:
    local_meta.answers = answering(400, b'{"error": {"code": 131056, "message": "Refused: hello \\ud83d"}}')
    error = failed(post, transport_to(local_meta.url))
    assert (type(error), error.group) == (WhatsAppRateLimitError, "pair")


def test_an_error_object_under_200_is_an_error(transport_to: Any, local_meta: LocalMeta) -> None:
    local_meta.answers = answering(200, {"error": {"code": 190, "message": "x"}})
    assert type(failed(post, transport_to(local_meta.url))) is WhatsAppAuthError


HTML = b"<!DOCTYPE html><html><title>Facebook | Error</title></html>"
NO_ANSWERS = {
    "an HTML page": (502, HTML, {"Content-Type": "text/html"}),
    "an empty 500": (500, b"", {}),
    "a proxy's JSON": (503, b'{"message":"upstream connect error"}', {"Content-Type": "application/json"}),
    "half a JSON": (200, b'{"messages":[{"id":"wam', {"Content-Type": "application/json"}),
    "an empty 200": (200, b"", {}),
    "an HTML 200": (200, HTML, {"Content-Type": "application/json"}),
    "a JSON list": (200, b"[]", {}),
    "a JSON text": (200, b'"ok"', {}),
    "not UTF-8": (200, b'{"a":"\xff\xfe"}', {}),
    "a redirect": (302, b"", {"Location": "https://evil.example/"}),
    "megabytes of error page": (500, HTML * 60_000, {"Content-Type": "text/html"}),
    "more than anybody reads": (200, b'{"a":"' + b"x" * (ANSWER_LIMIT + 1) + b'"}', {}),
}


@pytest.mark.parametrize("name", NO_ANSWERS)
def test_a_post_that_got_no_answer_of_metas_is_an_unknown_outcome_and_not_repeated(
    transport_to: Any, local_meta: LocalMeta, name: str
) -> None:
    status, body, headers = NO_ANSWERS[name]
    local_meta.answers = answering(status, body, headers)
    error = failed(post, transport_to(local_meta.url))
    assert (type(error), error.http_status) == (WhatsAppOutcomeUnknownError, status)
    assert len(local_meta.requests) == 1
    assert len(str(error)) < 300


@pytest.mark.parametrize("method", ["GET", "DELETE"])
@pytest.mark.parametrize("name", ["an HTML page", "half a JSON"])
def test_a_get_or_delete_that_got_no_answer_is_repeated(
    transport_to: Any, local_meta: LocalMeta, method: Any, name: str
) -> None:
    answers: list[Any] = [NO_ANSWERS[name], (200, b'{"id":"106"}', {})]
    local_meta.answers = lambda _: (lambda status, body, headers: (status, headers, body))(*answers.pop(0))
    assert transport_to(local_meta.url).request("graph", method, "106") == {"id": "106"}


def test_a_get_that_stays_without_answer_is_a_server_error(transport_to: Any, local_meta: LocalMeta) -> None:
    local_meta.answers = answering(500, HTML)
    error = failed(get, transport_to(local_meta.url))
    assert (type(error), error.http_status, len(local_meta.requests)) == (WhatsAppServerError, 500, 3)


def test_a_refused_get_is_not_repeated(transport_to: Any, local_meta: LocalMeta) -> None:
    local_meta.answers = answering(400, {"error": {"code": 100, "message": "x"}})
    failed(get, transport_to(local_meta.url))
    assert len(local_meta.requests) == 1


def test_a_body_that_breaks_off_leaves_a_post_unknown(transport_to: Any, raw_server: RawServer) -> None:
    raw_server.script = lambda connection, _: connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\n{")
    assert type(failed(post, transport_to(raw_server.url))) is WhatsAppOutcomeUnknownError


@pytest.mark.parametrize("said", [b"", b"HTTP/1.1 2", b"\x00\x01\x02\r\n\r\n", b"HTTP/1.1 200 OK\r\nContent-Le"])
def test_a_connection_that_dies_after_the_request_leaves_a_post_unknown(
    transport_to: Any, raw_server: RawServer, said: Any
) -> None:
    raw_server.script = lambda connection, _: connection.sendall(said)
    error = failed(post, transport_to(raw_server.url))
    assert (type(error), len(raw_server.heads)) == (WhatsAppOutcomeUnknownError, 1)


def silent(_: Any, stop: threading.Event) -> None:
    """A script that never responds."""
    stop.wait(10)


def test_a_read_time_out_leaves_a_post_unknown(transport_to: Any, raw_server: RawServer) -> None:
    raw_server.script = silent
    error = failed(post, transport_to(raw_server.url, read_timeout=0.1))
    assert type(error) is WhatsAppOutcomeUnknownError
    eventually(lambda: len(raw_server.heads) == 1)


def test_a_read_time_out_of_a_get_is_repeated_and_then_an_error(transport_to: Any, raw_server: RawServer) -> None:
    raw_server.script = silent
    error = failed(get, transport_to(raw_server.url, read_timeout=0.05, call_seconds=5))
    assert isinstance(error, WhatsAppServerError | WhatsAppConnectionError)
    eventually(lambda: len(raw_server.heads) == 3)


def closed_port() -> Any:
    with socket.create_server(("127.0.0.1", 0)) as free:
        return free.getsockname()[1]


def test_a_refused_connection_never_left(transport_to: Any) -> None:
    assert type(failed(post, transport_to(f"http://127.0.0.1:{closed_port()}"))) is WhatsAppConnectionError


def test_an_unknown_host_never_left(transport_to: Any) -> None:
    assert type(failed(post, transport_to("http://graph.invalid"))) is WhatsAppConnectionError


def test_a_tls_handshake_that_fails_never_left(transport_to: Any, raw_server: RawServer) -> None:
    error = failed(post, transport_to(raw_server.url.replace("http:", "https:"), connect_timeout=0.2))
    assert type(error) is WhatsAppConnectionError


def test_a_proxy_that_is_away_never_left(transport_to: Any) -> None:
    proxies = {"https": f"http://127.0.0.1:{closed_port()}"}
    assert type(failed(post, transport_to(proxies=proxies))) is WhatsAppConnectionError


def test_a_proxy_that_refuses_the_tunnel_never_left(transport_to: Any, raw_server: RawServer) -> None:
    raw_server.script = lambda connection, _: connection.sendall(b"HTTP/1.1 403 Forbidden\r\n\r\n")
    error = failed(post, transport_to(proxies={"https": raw_server.url}))
    assert type(error) is WhatsAppConnectionError
    assert TOKEN.encode() not in b"".join(raw_server.heads)


@pytest.mark.parametrize(
    ("problem", "error"),
    [
        (requests.ConnectTimeout, WhatsAppConnectionError),
        (requests.ReadTimeout, WhatsAppOutcomeUnknownError),
        (requests.ConnectionError, WhatsAppOutcomeUnknownError),
        (requests.exceptions.ChunkedEncodingError, WhatsAppOutcomeUnknownError),
        (requests.exceptions.SSLError, WhatsAppOutcomeUnknownError),
        (ssl.SSLError, WhatsAppOutcomeUnknownError),
        (ConnectionResetError, WhatsAppOutcomeUnknownError),
    ],
)
def test_in_doubt_a_post_may_have_left(transport_to: Any, requests_mock: Mocker, problem: Any, error: Any) -> None:
    requests_mock.post(f"{META}/v23.0/106/messages", exc=problem("about https://graph.facebook.com/?access_token=EAAx"))
    found = failed(post, transport_to())
    assert type(found) is error
    assert "EAAx" not in f"{found}{found.__cause__}{found.__context__ if not found.__suppress_context__ else ''}"


def test_a_connection_that_idled_too_long_is_not_used_again(transport_to: Any, local_meta: LocalMeta) -> None:
    transport = transport_to(local_meta.url, max_idle=0)
    assert [post(transport) for _ in range(3)] == [{}] * 3
    assert connections_of(local_meta) == 3


def test_a_post_that_left_is_not_mistaken_while_an_earlier_error_is_handled(
    transport_to: Any, raw_server: RawServer
) -> None:
    # Python chains the new error to the one being handled, whose request was never sent.
    raw_server.script = silent
    try:
        post(transport_to(f"http://127.0.0.1:{closed_port()}"))
    except WhatsAppConnectionError:
        error = failed(post, transport_to(raw_server.url, read_timeout=0.05))
    assert type(error) is WhatsAppOutcomeUnknownError


def test_cookies_are_not_kept(transport_to: Any, local_meta: LocalMeta) -> None:
    local_meta.answers = answering(200, b"{}", {"Set-Cookie": "track=me"})
    transport = transport_to(local_meta.url)
    post(transport)
    post(transport)
    assert "Cookie" not in local_meta.requests[1].headers


def test_the_guard_stands_around_the_call_and_sees_its_error(transport_to: Any, local_meta: LocalMeta) -> None:
    seen = []

    @contextlib.contextmanager
    def guard(call: Any) -> Iterator[Any]:
        seen.append(call)
        try:
            yield
        except WhatsAppError as error:
            seen.append(type(error))
            raise

    local_meta.answers = answering(500, HTML)
    failed(post, transport_to(local_meta.url, guard=guard))
    assert seen == ["messages", WhatsAppOutcomeUnknownError]


def test_an_open_breaker_lets_nothing_leave(transport_to: Any, local_meta: LocalMeta, observer: Any) -> None:
    @contextlib.contextmanager
    def guard(call: str) -> Iterator[Any]:
        if call:
            raise WhatsAppCircuitOpenError("The breaker is open", retry_after=30)
        yield

    error = failed(post, transport_to(local_meta.url, guard=guard))
    assert isinstance(error, WhatsAppConnectionError)
    assert local_meta.requests == []
    assert observer.heard[0][1].error is error


def test_the_observer_hears_of_success(transport_to: Any, local_meta: LocalMeta, observer: Any) -> None:
    usage = '{"102":[{"type":"whatsapp","call_count":81,"total_cputime":2,"total_time":3}]}'
    headers = {"facebook-api-version": "v23.0", "x-business-use-case-usage": usage, "x-app-usage": '{"call_count":9}'}
    local_meta.answers = answering(200, b"{}", headers)
    post(transport_to(local_meta.url))
    ((call, outcome, seconds),) = observer.heard
    assert (call, outcome.http_status, outcome.error, outcome.version) == ("messages", 200, None, "v23.0")
    assert [(one.scope, one.type, one.percent) for one in outcome.usage] == [("102", "whatsapp", 81), ("app", "", 9)]
    assert 0 < seconds < 5


def test_the_observer_hears_of_a_refusal(transport_to: Any, local_meta: LocalMeta, observer: Any) -> None:
    local_meta.answers = answering(429, {"error": {"code": 130429, "message": "x"}}, {"Retry-After": "17"})
    error = failed(post, transport_to(local_meta.url))
    ((_, outcome, _),) = observer.heard
    assert (outcome.http_status, outcome.code, outcome.retry_after) == (429, 130429, 17)
    assert outcome.error is error
    assert error.retry_after == 17


def test_the_observer_hears_of_silence(transport_to: Any, observer: Any) -> None:
    failed(post, transport_to(f"http://127.0.0.1:{closed_port()}"))
    ((_, outcome, _),) = observer.heard
    assert (outcome.http_status, outcome.code, outcome.usage) == (None, None, ())


@pytest.mark.parametrize(
    "header", ["", "no json", "[]", "7", '{"1":7}', '{"1":[7]}', '{"1":[{"type":7}]}', "{" * 20_000]
)
def test_senseless_usage_headers_do_no_harm(transport_to: Any, requests_mock: Mocker, header: Any) -> None:
    headers = {"x-business-use-case-usage": header, "x-app-usage": header}
    requests_mock.post(f"{META}/v23.0/106/messages", json={"ok": 1}, headers=headers)
    assert post(transport_to()) == {"ok": 1}


@pytest.mark.parametrize("token", ["EAAtoken0123456789", "123456789|an-app-secret-42", "plain-token-42"])
def test_a_token_that_meta_repeats_is_not_passed_on(local_meta: LocalMeta, token: Any) -> None:
    local_meta.answers = answering(401, {"error": {"code": 190, "message": f"Cannot parse {token}"}})
    error = failed(post, Transport(local_meta.url, "v23.0", token))
    assert token not in f"{error} {error.title} {error.details}"
    assert "Cannot parse [secret]" in str(error)


def test_a_call_without_its_ca_bundle_has_not_left() -> None:
    transport = Transport("https://127.0.0.1:1", "v23.0", TOKEN, ca_bundle="/missing/ca.pem")
    assert type(failed(post, transport)) is WhatsAppConnectionError


def test_a_call_whose_proxy_has_a_password_that_no_header_takes_has_not_left() -> None:
    transport = Transport("https://127.0.0.1:1", "v23.0", TOKEN, proxies={"https": "http://user:%E2%82%AC@127.0.0.1:1"})
    error = failed(post, transport)
    assert (type(error), error.details) == (WhatsAppConnectionError, "UnicodeEncodeError")


@pytest.mark.parametrize("token", ["EAAtoken…", "\ufeffEAAtoken", "EAA\ntoken", "EAA token"])
def test_a_token_that_no_header_takes_is_refused_at_once(token: str) -> None:
    with pytest.raises(ValueError, match="access token") as caught:
        Transport(META, "v23.0", token)
    assert "EAA" not in str(caught.value)


def test_the_token_shows_nowhere(transport_to: Any, local_meta: LocalMeta) -> None:
    local_meta.answers = answering(401, {"error": {"code": 190, "message": f"Cannot parse {TOKEN}"}})
    transport = transport_to(local_meta.url)
    error = failed(post, transport)
    assert TOKEN not in f"{transport!r} {error} {error!r} {error.title} {error.details}"
