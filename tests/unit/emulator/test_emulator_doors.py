"""Graph API calls with a version bypass Flask, others do not: both behave alike."""

from __future__ import annotations

from typing import Any

import pytest

from tests.unit.emulator.emulated import ACCOUNT, ANA, NUMBER, Emulator

BODY: dict[str, Any] = {"messaging_product": "whatsapp", "to": ANA, "type": "text", "text": {"body": "é/"}}
CALLS: list[tuple[str, str, dict[str, Any]]] = [
    ("GET", f"{NUMBER}?fields=id,verified_name", {}),
    ("GET", f"{ACCOUNT}/message_templates?limit=1", {}),
    ("POST", f"{NUMBER}/messages", {"data": BODY | {"type": "nothing"}}),
    ("POST", f"{NUMBER}/messages", {"json": {}}),
    ("POST", f"{NUMBER}/register", {"data": {"messaging_product": "whatsapp", "pin": "123456"}}),
    ("PUT", NUMBER, {}),
    ("GET", "1/2", {}),
]


@pytest.mark.parametrize(("method", "path", "options"), CALLS, ids=[f"{call[0]} {call[1]}" for call in CALLS])
def test_both_doors_answer_alike(meta: Emulator, method: str, path: str, options: dict[str, Any]) -> None:
    with_version, without = (meta.graph(method, f"{door}{path}", **options) for door in ("/v20.0/", "/"))
    assert with_version.status_code == without.status_code
    bodies = []
    for answer in (with_version, without):
        body: dict[str, Any] = {name: part for name, part in answer.json.items() if name != "paging"}
        if "error" in body:
            assert body["error"].pop("fbtrace_id") == answer.headers["x-fb-trace-id"]
        bodies.append(body)
    assert bodies[0] == bodies[1]
    changing = {"x-fb-trace-id", "x-fb-request-id", "Content-Length", "facebook-api-version"}
    first, second = ({n: v for n, v in a.headers.items() if n not in changing} for a in (with_version, without))
    assert first == second


@pytest.mark.parametrize("door", ["/v24.0/", "/"])
def test_a_call_is_recorded_with_the_query_and_without_the_token(meta: Emulator, door: str) -> None:
    meta.graph("GET", f"{door}{NUMBER}?fields=id&access_token=EAAtest", headers={"X-Mine": "1"})
    exchange = meta.control("GET", "exchanges?full=1").json["exchanges"][-1]
    assert exchange["url"] == f"http://localhost{door}{NUMBER}?fields=id&access_token=$TOKEN"
    assert exchange["request_headers"]["Authorization"] == "Bearer $TOKEN"
    assert exchange["request_headers"]["X-Mine"] == "1"


@pytest.mark.parametrize("door", ["/v24.0/", "/"])
def test_a_request_that_is_too_large_is_refused(meta: Emulator, door: str) -> None:
    length = {"CONTENT_LENGTH": str(106 * 1024 * 1024)}
    answer = meta.graph("POST", f"{door}{NUMBER}/messages", environ_overrides=length)
    assert answer.json["error"]["message"] == "(#100) The request is too large."


@pytest.mark.parametrize("door", ["/v24.0/", "/", "/_emulator/clock?", "/?"])
def test_no_door_is_open_to_foreign_pages(meta: Emulator, door: str) -> None:
    path = f"{door}{NUMBER}"
    assert meta.graph("GET", path, headers={"Origin": "https://evil.example"}).status_code == 403
    assert meta.graph("GET", path, headers={"Host": "evil.example"}).status_code == 403
    assert meta.graph("GET", path, headers={"Origin": "http://localhost"}).status_code == 200
