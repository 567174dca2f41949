"""A web process on a real store, and a worker that does what a test tells it."""

from __future__ import annotations

import hmac
import io
import threading
import time
from collections.abc import Callable, Iterator, MutableMapping
from dataclasses import dataclass, replace
from hashlib import sha256
from typing import Any

import orjson
import pytest
import redis
import structlog
from flask import Flask
from flask.testing import FlaskClient
from gunicorn.http.errors import InvalidChunkSize  # type: ignore[import-untyped]  # gunicorn has no types
from werkzeug.test import TestResponse

from tests.unit.web.deliveries import NUMBER, OTHER_NUMBER, SECRET, WABA
from wa_service import runtime as wiring
from wa_service.config import settings
from wa_service.config.web_options import WebOptions
from wa_service.runtime import Runtime
from wa_service.store.grants import Grant
from wa_service.store.outbox import SendOutcome
from wa_service.web.app import create_app
from wa_service.whatsapp.http.transport import Transport

SETTINGS = {
    "WHATSAPP_ACCESS_TOKEN": "EAAtoken-of-a-test",
    "WHATSAPP_PHONE_NUMBER_ID": f"{NUMBER},{OTHER_NUMBER}",
    "WHATSAPP_VERIFY_TOKEN": "a-verify-token",
    "WHATSAPP_APP_SECRET": f"{SECRET},another-secret",
    "WHATSAPP_BUSINESS_ACCOUNT_ID": WABA,
    "WHATSAPP_API_VERSION": "v24.0",
    "WHATSAPP_API_BASE_URL": "http://127.0.0.1:1",
    "WA_API_KEYS": ",".join(
        f"{name}:the-test-key-of-{name}{role}"
        for name, role in (("both", ""), ("reader", ":read"), ("sender", ":send"), ("boss", ":admin"))
    ),
    "WA_SEND_WAIT": "0",
}

IN_CHUNKS = {"wsgi.input_terminated": True, "CONTENT_LENGTH": ""}
"""What the server says of a body that came in chunks, whose end it knows."""

KEYS = {name: {"Authorization": f"Bearer the-test-key-of-{name}"} for name in ("both", "reader", "sender", "boss")}


@dataclass(frozen=True)
class Web:
    """The application under test, and what stands behind it."""

    app: Flask
    runtime: Runtime
    client: FlaskClient

    def webhook(self, body: Any, *, secret: str = SECRET, headers: dict[str, str] | None = None) -> TestResponse:
        """Posts a delivery as Meta does: signed over the bytes that are sent."""
        raw = body if isinstance(body, bytes) else orjson.dumps(body)
        signature = hmac.new(secret.encode(), raw, sha256).hexdigest()
        sent = {"Content-Type": "application/json", "X-Hub-Signature-256": f"sha256={signature}"} | (headers or {})
        return self.client.post("/webhooks/whatsapp", data=raw, headers=sent)

    def send(self, body: Any, *, key: str = "both", **headers: str) -> TestResponse:
        """Posts a message."""
        sent = KEYS[key] | {name.replace("_", "-"): value for name, value in headers.items()}
        return self.client.post("/v1/messages", json=body, headers=sent)

    def get(self, path: str, *, key: str = "both") -> TestResponse:
        """Reads something."""
        return self.client.get(path, headers=KEYS[key])

    def post(self, path: str, *, key: str = "both", **more: Any) -> TestResponse:
        """Posts something."""
        return self.client.post(path, headers=KEYS[key], **more)

    def put(self, path: str, body: Any, *, key: str = "both") -> TestResponse:
        """A PUT of JSON."""
        return self.client.put(path, json=body, headers=KEYS[key])

    def delete(self, path: str, *, key: str = "boss") -> TestResponse:
        """Deletes something."""
        return self.client.delete(path, headers=KEYS[key])

    def grant(self, number: str = NUMBER) -> Grant:
        """What a worker may send now; the test fails when that is nothing within two seconds."""
        until = time.monotonic() + 2
        counter = 0
        while time.monotonic() < until:
            counter += 1
            grants = self.runtime.outbox.next(number, "worker", counter, 1).grants
            if grants:
                return grants[0]
            self.runtime.outbox.wait_for_work(number, 0.1)
        raise AssertionError("nothing to send")

    def accept(self, wamid: str = "wamid.HBgLACCEPTED", number: str = NUMBER) -> Grant:
        """A worker sends the next message, and Meta accepts it."""
        grant = self.grant(number)
        self.runtime.outbox.done(number, grant, SendOutcome("accepted", wamid=wamid, meta_healthy=True))
        return grant


Start = Callable[..., Web]


class BrokenChunks(io.RawIOBase):
    """A body whose chunks the server cannot read: it finds out while it is read."""

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any, /) -> int:
        raise InvalidChunkSize(b"zz")

    def tell(self) -> int:
        return 0

    def seek(self, offset: int, whence: int = 0, /) -> int:
        return 0


class FullMemory:
    """A server whose memory is nearly used up."""

    def __init__(self) -> None:
        self.is_full = True

    def full(self) -> bool:
        return self.is_full


@pytest.fixture(scope="module", autouse=True)
def _no_waiting_for_meta() -> Iterator[None]:
    """Nobody listens where `SETTINGS` say that Meta is, nor a moment later."""
    with pytest.MonkeyPatch.context() as patch:
        defaults = (Transport.__init__.__kwdefaults__ or {}) | {"retry_pause": 0.001}
        patch.setattr(Transport.__init__, "__kwdefaults__", defaults)
        yield


@pytest.fixture
def start_web(valkey_url: str, redis_client: redis.Redis, lines: list[dict[str, Any]]) -> Iterator[Start]:
    """Starts a web process with further settings; `runtime` replaces parts of what is behind it."""
    started: list[Web] = []

    def start(env: dict[str, str] | None = None, **parts: Any) -> Web:
        started.append(_started({"REDIS_URL": valkey_url} | (env or {}), **parts))
        return started[-1]

    yield start
    for web in started:
        _stop(web)


def _started(env: dict[str, str], **parts: Any) -> Web:
    runtime = replace(wiring.build(settings.load(SETTINGS | env)), **parts)
    app = create_app(runtime, WebOptions.of(runtime.settings))
    return Web(app, runtime, app.test_client())


def _stop(web: Web) -> None:
    # A scrape writes what was counted, so that it does not show up in the next test's series.
    web.client.get("/metrics", headers={"Authorization": "Bearer a-metrics-key-of-twenty"})
    web.runtime.close()
    # What it still asks of Meta would be answered by the next test's stand-in for Meta, and counted there.
    for thread in threading.enumerate():
        if thread.name in {"meta facts", "templates"}:
            thread.join(60)


@pytest.fixture(scope="module")
def start_for_the_file(valkey_url: str) -> Iterator[Start]:
    """As `start_web`, for a process that serves all tests of a file."""
    started: list[Web] = []

    def start(env: dict[str, str] | None = None, **parts: Any) -> Web:
        with structlog.testing.capture_logs():
            started.append(_started({"REDIS_URL": valkey_url} | (env or {}), **parts))
        return started[-1]

    yield start
    with structlog.testing.capture_logs():
        for web in started:
            _stop(web)


@pytest.fixture(scope="module")
def process_of_the_file(start_for_the_file: Start) -> Web:
    """What `web` is in this file; a file that needs further settings or other parts has its own."""
    return start_for_the_file()


@pytest.fixture
def lines() -> Iterator[list[MutableMapping[str, Any]]]:
    """What is logged; silent otherwise."""
    with structlog.testing.capture_logs() as captured:
        yield captured


@pytest.fixture
def web(process_of_the_file: Web, redis_client: redis.Redis, lines: list[dict[str, Any]]) -> Web:
    """A web process that does not wait for Meta's answer, on an empty store.

    One serves a file, since building its eighty routes takes longer than most tests. As in production, it remembers
    what came before; a test that needs one without memories takes `start_web()`.
    """
    return process_of_the_file
