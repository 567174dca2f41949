"""The service's log has no token, secret, key, phone number or wamid (which contains a number)."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
import requests

from tests.e2e.leaks import unpacked
from tests.e2e.starter import WITHOUT_MODELS, Started
from tests.eventually import eventually

CUSTOMERS = ("447700900123", "15550102030")
WRITTEN = ("the blue room by the sea", "hello from the desk")


@pytest.fixture(scope="module")
def var(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("log") / "var"


@pytest.fixture(scope="module")
def log(var: Path) -> list[str]:
    service = Started(var, **WITHOUT_MODELS)
    service.until_ready()
    url, headers = f"http://127.0.0.1:{service.port}", service.headers

    def call(method: str, path: str, **given: object) -> requests.Response:
        return requests.request(method, f"{url}{path}", headers=headers, timeout=15, **given)  # type: ignore[arg-type]

    try:
        service.write(CUSTOMERS[0], WRITTEN[0])
        eventually(lambda: service.answers(CUSTOMERS[0]) > 0, within=30)
        for customer in CUSTOMERS:  # one has a service window; the other has none, so its send fails
            call("POST", "/v1/messages", json={"to": customer, "text": WRITTEN[1]})
        call("POST", "/v1/messages", json={"to": "15559999999", "template": {"name": "nope", "language": "en_US"}})
        call(
            "POST", "/v1/messages", json={"to": CUSTOMERS[0], "template": {"name": "order_update", "language": "en_US"}}
        )
        wamid = service.chat(CUSTOMERS[0])[0]["id"]
        call("POST", f"/v1/messages/{wamid}/read")
        call("GET", f"/v1/messages/{wamid}")
        call("GET", "/v1/media/404404")
        call("DELETE", f"/v1/contacts/{CUSTOMERS[1]}")
        for path in ("/v1/messages/nope", "/nowhere", "/webhooks/whatsapp"):
            requests.get(f"{url}{path}", headers={"Authorization": "Bearer not-a-key-of-ours"}, timeout=5)
        requests.post(f"{url}/webhooks/whatsapp", data=b"{}", headers={"X-Hub-Signature-256": "sha256=00"}, timeout=5)
        eventually(lambda: "whatsapp.message.handled" in service.said and "whatsapp.status" in service.said, within=10)
    finally:
        service.stop()
    return [line for line in service.said.splitlines() if re.match(r"\S+ (web|worker) +\|", line)]


def test_the_log_tells_what_happened(log: list[str]) -> None:
    told = "\n".join(log)
    for name in ("message.handled", "send.accepted", "status", "webhook.refused"):
        assert f"whatsapp.{name}" in told


def test_the_log_tells_no_telephone_number(log: list[str]) -> None:
    assert [line for line in log if any(customer in line for customer in (*CUSTOMERS, "15559999999"))] == []


def test_the_log_tells_no_wamid_however_it_is_written(log: list[str]) -> None:
    assert [line for line in log if "wamid." in line] == []
    hidden = [customer.encode() for customer in CUSTOMERS]
    assert [line for line in log for text in unpacked(line) if any(customer in text for customer in hidden)] == []


def test_the_log_tells_no_secret(log: list[str], var: Path) -> None:
    secrets = [file.read_text() for file in (var / "secrets").iterdir()]
    assert len(secrets) == 6
    assert [line for line in log if any(secret in line for secret in [*secrets, "not-a-key-of-ours"])] == []


def test_the_log_tells_nothing_that_somebody_wrote(log: list[str]) -> None:
    assert [line for line in log if any(text in line for text in WRITTEN)] == []
