"""A store that freezes, dies and returns under a running web process."""

from __future__ import annotations

import hmac
import os
import signal
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from hashlib import sha256
from pathlib import Path
from typing import Any

import orjson
import pytest
import structlog
from flask.testing import FlaskClient
from werkzeug.test import TestResponse

from tests.keys import PREFIX
from wa_service import runtime as wiring
from wa_service.config import settings
from wa_service.config.web_options import WebOptions
from wa_service.runtime import Runtime
from wa_service.store import server_address
from wa_service.store.embedded_valkey import EmbeddedValkey
from wa_service.web import limits
from wa_service.web.app import create_app

NUMBER = "106540352242922"
CUSTOMER = "15551234567"
TIMEOUT = 0.5
"""Seconds that the first call to a frozen store takes; in production two. Later calls fail at once."""
KEY = {"Authorization": "Bearer key-of-a-test-of-web"}
SETTINGS = {
    "WHATSAPP_ACCESS_TOKEN": "token-of-a-test",
    "WHATSAPP_PHONE_NUMBER_ID": NUMBER,
    "WHATSAPP_VERIFY_TOKEN": "a-verify-token",
    "WHATSAPP_APP_SECRET": "an-app-secret",
    "WHATSAPP_API_BASE_URL": "http://127.0.0.1:1",
    "WA_API_KEYS": "tester:key-of-a-test-of-web:admin",
    "WA_SEND_WAIT": "0",
}


@dataclass(frozen=True)
class Service:
    """A web process, and the store behind it."""

    runtime: Runtime
    client: FlaskClient
    store_pid: int

    def deliver(self, wamid: str, secret: bytes = b"an-app-secret") -> TestResponse:
        """Deliver a customer's message as Meta does."""
        now = str(int(time.time()))  # one older than eight days is not handled
        message = {"from": CUSTOMER, "id": wamid, "timestamp": now, "type": "text", "text": {"body": "hi"}}
        value = {"metadata": {"phone_number_id": NUMBER}, "messages": [message]}
        changes = [{"field": "messages", "value": value}]
        raw = orjson.dumps({"object": "whatsapp_business_account", "entry": [{"id": "1", "changes": changes}]})
        signature = "sha256=" + hmac.new(secret, raw, sha256).hexdigest()
        return self.client.post("/webhooks/whatsapp", data=raw, headers={"X-Hub-Signature-256": signature})

    def stored(self) -> list[str]:
        """The waiting messages, in order."""
        _, works = self.runtime.inbox.take("a worker", 1, 10)
        members = self.runtime.store.do("ZRANGE", f"{PREFIX}mailbox:{NUMBER}:{CUSTOMER}", 0, -1) if works else []
        return [orjson.loads(member)["i"] for member in members]

    @contextmanager
    def frozen_store(self) -> Iterator[None]:
        """Inside the block the store accepts connections and does not respond."""
        os.kill(self.store_pid, signal.SIGSTOP)
        try:
            yield
        finally:
            os.kill(self.store_pid, signal.SIGCONT)


@pytest.fixture
def service(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Service]:
    for user in (server_address, limits):
        monkeypatch.setattr(user, "SOCKET_SECONDS", TIMEOUT)
    with EmbeddedValkey(tmp_path, sync="everysec") as server, structlog.testing.capture_logs():
        assert server.pid is not None
        runtime = wiring.build(settings.load(SETTINGS | {"REDIS_URL": server.url}))
        yield Service(runtime, create_app(runtime, WebOptions.of(runtime.settings)).test_client(), server.pid)
        runtime.close()


def timed(call: Any) -> tuple[int, float]:
    started = time.monotonic()
    return call().status_code, time.monotonic() - started


def test_while_the_store_is_frozen_nothing_is_acknowledged_and_nobody_waits_long(service: Service) -> None:
    service.deliver("wamid.BEFORE")

    with service.frozen_store():
        answers = [timed(lambda i=i: service.deliver(f"wamid.DURING{i}")) for i in range(5)]

    assert {status for status, _ in answers} == {503}
    assert sum(seconds for _, seconds in answers) < 5 * TIMEOUT


def test_what_was_refused_is_stored_once_when_it_is_delivered_again(service: Service) -> None:
    with service.frozen_store():
        service.deliver("wamid.ONE")
        service.deliver("wamid.TWO")
    assert service.runtime.store.availability.wait_until_back(10)

    again = [service.deliver(wamid).status_code for wamid in ("wamid.ONE", "wamid.TWO", "wamid.ONE")]

    assert again == [200, 200, 200]
    assert service.stored() == ["wamid.ONE", "wamid.TWO"]


def test_after_the_store_was_away_silence_of_meta_s_proves_less(service: Service) -> None:
    service.runtime.store.do("DEL", f"{PREFIX}webhook_rejected_at")
    with service.frozen_store():
        service.deliver("wamid.ONE")
    assert service.runtime.store.availability.wait_until_back(10)

    service.deliver("wamid.ONE")

    assert service.runtime.store.do("EXISTS", f"{PREFIX}webhook_rejected_at") == 1


def test_while_the_store_is_frozen_calls_are_told_to_come_back(service: Service) -> None:
    with service.frozen_store():
        first = timed(lambda: service.client.get("/v1/events", headers=KEY))
        sent = timed(lambda: service.client.post("/v1/messages", json={"to": CUSTOMER, "text": "hi"}, headers=KEY))
        ready = timed(lambda: service.client.get("/readyz"))
        alive = timed(lambda: service.client.get("/healthz"))

    assert [status for status, _ in (first, sent, ready, alive)] == [503, 503, 503, 200]
    assert sum(seconds for _, seconds in (first, sent, ready, alive)) < 4 * TIMEOUT


def test_while_the_store_is_frozen_a_wrong_signature_or_key_is_still_refused(service: Service) -> None:
    with service.frozen_store():
        unsigned = timed(lambda: service.deliver("wamid.ONE", secret=b"not-our-secret"))
        unknown = timed(lambda: service.client.get("/v1/events", headers={"Authorization": "Bearer nobody"}))

    assert [unsigned[0], unknown[0]] == [401, 401]
    assert unsigned[1] + unknown[1] < 2 * TIMEOUT


def test_a_scrape_answers_while_the_store_is_frozen(service: Service) -> None:
    with service.frozen_store():
        answer = service.client.get("/metrics")

    assert answer.status_code == 200
    assert "whatsapp_store_up 0.0" in answer.text


def test_a_message_that_is_queued_is_answered_so_although_the_store_then_went_away(service: Service) -> None:
    put = service.runtime.outbox.put

    class FreezesAfterPut:
        """An outbox whose store freezes as soon as a message is queued."""

        limits_of = staticmethod(service.runtime.outbox.limits_of)
        webhook_rejected = staticmethod(service.runtime.outbox.webhook_rejected)

        @staticmethod
        def put(*args: Any, **more: Any) -> Any:
            done = put(*args, **more)
            os.kill(service.store_pid, signal.SIGSTOP)
            return done

    app = create_app(
        replace(service.runtime, outbox=FreezesAfterPut()),  # type: ignore[arg-type]  # the least
        WebOptions.of(service.runtime.settings),
    )
    try:
        answer = app.test_client().post("/v1/messages", json={"to": CUSTOMER, "text": "hi"}, headers=KEY)
    finally:
        os.kill(service.store_pid, signal.SIGCONT)

    assert (answer.status_code, answer.json["status"]) == (202, "queued")
    assert answer.headers["Location"] == f"/v1/messages/{answer.json['id']}"
