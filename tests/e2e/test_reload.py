"""SIGHUP reloads the settings and rotates the app secret, and no webhook is rejected meanwhile."""

from __future__ import annotations

import contextlib
import hashlib
import hmac
import http.client
import json
import os
import signal
import subprocess
import sys
import threading
from collections import deque
from collections.abc import Iterator
from pathlib import Path

import pytest
import redis

from meta_emulator.free_port import free_port
from tests.e2e.starter import ROOT
from tests.eventually import eventually

NUMBER = "100000000000001"
SETTINGS = f"""
WHATSAPP_ACCESS_TOKEN=token
WHATSAPP_PHONE_NUMBER_ID={NUMBER}
WHATSAPP_VERIFY_TOKEN=shake
WHATSAPP_API_VERSION=v25.0
WEB_CONCURRENCY=2
"""


class Web:
    """Gunicorn with a settings file that a test can change."""

    def __init__(self, directory: Path, redis_url: str) -> None:
        self._settings = directory / "settings"
        self._base = SETTINGS + f"REDIS_URL={redis_url}\nWA_VAR_DIR={directory / 'var'}\n"
        self.port = free_port()
        self.write("old")
        env = {"PATH": os.environ["PATH"], "WA_ENV_FILE": str(self._settings), "WA_BIND": f"127.0.0.1:{self.port}"}
        command = [sys.executable, "-m", "gunicorn", "-c", "gunicorn.conf.py"]
        self.process = subprocess.Popen(command, cwd=ROOT, env=env, stderr=subprocess.DEVNULL)

    def write(self, secrets: str) -> None:
        self._settings.write_text(f"{self._base}WHATSAPP_APP_SECRET={secrets}\n")

    def reload(self, secrets: str) -> None:
        self.write(secrets)
        self.process.send_signal(signal.SIGHUP)

    def connect(self) -> http.client.HTTPConnection:
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=10)
        connection.connect()
        return connection

    def post(self, secret: str, message: int, connection: http.client.HTTPConnection | None = None) -> int:
        value = {
            "messaging_product": "whatsapp",
            "metadata": {"display_phone_number": "15550001111", "phone_number_id": NUMBER},
            "statuses": [
                {"id": f"wamid.{message}", "status": "sent", "timestamp": "1700000000", "recipient_id": "15550002222"}
            ],
        }
        delivery = {
            "object": "whatsapp_business_account",
            "entry": [{"id": "2", "changes": [{"field": "messages", "value": value}]}],
        }
        raw = json.dumps(delivery).encode()
        signature = hmac.new(secret.encode(), raw, hashlib.sha256).hexdigest()
        headers = {"X-Hub-Signature-256": f"sha256={signature}", "Content-Type": "application/json"}
        try:
            connection = connection or self.connect()
            with contextlib.closing(connection):
                connection.request("POST", "/webhooks/whatsapp", raw, {**headers, "Connection": "close"})
                return connection.getresponse().status
        except (OSError, http.client.HTTPException):
            return 0


@pytest.fixture
def web(tmp_path: Path, valkey_url: str, redis_client: redis.Redis) -> Iterator[Web]:
    started = Web(tmp_path, valkey_url)
    eventually(lambda: started.post("old", 0) == 200, within=20)
    yield started
    started.process.terminate()
    started.process.wait(30)


class Meta(threading.Thread):
    """Posts webhooks one after the other, signed with the current secret, and records every response.

    Each request follows its connection by some milliseconds, as over a real network.
    """

    def __init__(self, web: Web) -> None:
        super().__init__(daemon=True)
        self.secret = "old"
        self.answers: list[tuple[str, int]] = []
        self._web = web
        self._stopped = threading.Event()

    def run(self) -> None:
        ahead = deque(self._web.connect() for _ in range(8))
        while not self._stopped.is_set():
            secret = self.secret
            ahead.append(self._web.connect())
            self.answers.append((secret, self._web.post(secret, len(self.answers) + 1, ahead.popleft())))
        for connection in ahead:
            connection.close()

    def stop(self) -> None:
        self._stopped.set()
        self.join(15)


def test_the_apps_secret_rotates_under_load_and_nothing_is_refused(web: Web) -> None:
    meta = Meta(web)
    meta.start()
    web.reload("new,old")
    eventually(lambda: all(web.post("new", n) == 200 for n in range(20)), within=30)
    meta.secret = "new"
    eventually(lambda: meta.answers[-1][0] == "new", within=10)
    web.reload("new")
    eventually(lambda: all(web.post("old", n) == 401 for n in range(20)), within=30)
    meta.stop()
    assert [answer for answer in meta.answers if answer[1] != 200] == []
    assert {secret for secret, _ in meta.answers} == {"old", "new"}
