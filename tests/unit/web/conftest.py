"""Fixtures: a web process with a real store, and methods that act as the worker."""

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
"""The WSGI environment of a chunked request body whose end the server detects."""

KEYS = {name: {"Authorization": f"Bearer the-test-key-of-{name}"} for name in ("both", "reader", "sender", "boss")}


@dataclass(frozen=True)
class Web:
    """The application under test, its runtime and a client."""

    app: Flask
    runtime: Runtime
    client: FlaskClient

    def webhook(self, body: Any, *, secret: str = SECRET, headers: dict[str, str] | None = None) -> TestResponse:
        """POST a delivery as Meta does, with a signature of its bytes."""
        raw = body if isinstance(body, bytes) else orjson.dumps(body)
        signature = hmac.new(secret.encode(), raw, sha256).hexdigest()
        sent = {"Content-Type": "application/json", "X-Hub-Signature-256": f"sha256={signature}"} | (headers or {})
        return self.client.post("/webhooks/whatsapp", data=raw, headers=sent)

    def send(self, body: Any, *, key: str = "both", **headers: str) -> TestResponse:
        """POST a message."""
        sent = KEYS[key] | {name.replace("_", "-"): value for name, value in headers.items()}
        return self.client.post("/v1/messages", json=body, headers=sent)

    def get(self, path: str, *, key: str = "both") -> TestResponse:
        """GET a path."""
        return self.client.get(path, headers=KEYS[key])

    def post(self, path: str, *, key: str = "both", **more: Any) -> TestResponse:
        """POST to a path."""
        return self.client.post(path, headers=KEYS[key], **more)

    def put(self, path: str, body: Any, *, key: str = "both") -> TestResponse:
        """PUT JSON to a path."""
        return self.client.put(path, json=body, headers=KEYS[key])

    def delete(self, path: str, *, key: str = "boss") -> TestResponse:
        """DELETE a path."""
        return self.client.delete(path, headers=KEYS[key])

    def grant(self, number: str = NUMBER) -> Grant:
        """Return the next grant for a worker; fail if there is none within two seconds."""
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
        """Send the next message as a worker does; Meta accepts it."""
        grant = self.grant(number)
        self.runtime.outbox.done(number, grant, SendOutcome("accepted", wamid=wamid, meta_healthy=True))
        return grant


Start = Callable[..., Web]


class BrokenChunks(io.RawIOBase):
    """A body with an invalid chunk, which raises when it is read."""

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any, /) -> int:
        raise InvalidChunkSize(b"zz")

    def tell(self) -> int:
        return 0

    def seek(self, offset: int, whence: int = 0, /) -> int:
        return 0


class FullMemory:
    """A store whose memory is nearly full."""

    def __init__(self) -> None:
        self.is_full = True

    def full(self) -> bool:
        return self.is_full


@pytest.fixture(scope="module", autouse=True)
def _no_waiting_for_meta() -> Iterator[None]:
    """Shorten the pause between tries: nothing listens at the API's address in `SETTINGS`."""
    with pytest.MonkeyPatch.context() as patch:
        defaults = (Transport.__init__.__kwdefaults__ or {}) | {"retry_pause": 0.001}
        patch.setattr(Transport.__init__, "__kwdefaults__", defaults)
        yield


@pytest.fixture
def start_web(valkey_url: str, redis_client: redis.Redis, lines: list[dict[str, Any]]) -> Iterator[Start]:
    """Return a function that starts a web process with further settings; keywords replace parts of its runtime."""
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
    # A scrape writes the buffered counts; otherwise they would be added to the next test's metrics.
    web.client.get("/metrics", headers={"Authorization": "Bearer a-metrics-key-of-twenty"})
    web.runtime.close()
    # Pending requests to Meta would reach the next test's fake of Meta and be counted there.
    for thread in threading.enumerate():
        if thread.name in {"meta facts", "templates"}:
            thread.join(60)


@pytest.fixture(scope="module")
def start_for_the_file(valkey_url: str) -> Iterator[Start]:
    """Like `start_web`, for a process that serves all tests of a file."""
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
    """Return the web process for `web`; files that need other settings or parts override this fixture."""
    return start_for_the_file()


@pytest.fixture
def lines() -> Iterator[list[MutableMapping[str, Any]]]:
    """Capture the log lines."""
    with structlog.testing.capture_logs() as captured:
        yield captured


@pytest.fixture
def web(process_of_the_file: Web, redis_client: redis.Redis, lines: list[dict[str, Any]]) -> Web:
    """Return a web process that does not wait for Meta's response, with an empty store.

    The tests of a file share it, because building its routes takes longer than most tests. It keeps its caches between
    tests; a test that needs a new process uses `start_web()`.
    """
    return process_of_the_file
