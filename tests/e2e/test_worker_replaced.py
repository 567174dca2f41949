"""SIGHUP to a worker starts a new process with the current settings, or keeps the old one where that cannot start."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
import redis

from tests.e2e.starter import ROOT
from tests.eventually import eventually
from tests.whole_lines import whole_lines

SETTINGS = """
WHATSAPP_ACCESS_TOKEN=token
WHATSAPP_PHONE_NUMBER_ID=100000000000001
WHATSAPP_VERIFY_TOKEN=shake
WHATSAPP_APP_SECRET=pepper
WHATSAPP_API_BASE_URL=http://127.0.0.1:1
WA_SPEECH=none
WA_INTENTS=fuzzy
"""


class Worker:
    """A supervised worker with a settings file that a test can change."""

    def __init__(self, directory: Path, redis_url: str) -> None:
        self._settings = directory / "settings"
        self._log = directory / "log"
        self._base = f"{SETTINGS}REDIS_URL={redis_url}\nWA_VAR_DIR={directory / 'var'}\nWA_LOG_FORMAT=json\n"
        self.write("")
        env = {"PATH": os.environ["PATH"], "WA_ENV_FILE": str(self._settings)}
        with self._log.open("ab") as log:
            command = [sys.executable, "-m", "wa_service", "worker"]
            self.process = subprocess.Popen(command, cwd=ROOT, env=env, stdout=log, stderr=log)

    def write(self, more: str) -> None:
        self._settings.write_text(self._base + more)

    def told(self, fact: str) -> list[dict[str, object]]:
        lines = [line for line in whole_lines(self._log).splitlines() if f'"whatsapp.worker.{fact}"'.encode() in line]
        return [json.loads(line) for line in lines]


@pytest.fixture
def worker(tmp_path: Path, valkey_url: str, redis_client: redis.Redis) -> Iterator[Worker]:
    worker = Worker(tmp_path, valkey_url)
    try:
        eventually(lambda: worker.told("started"), within=20)
        yield worker
    finally:
        worker.process.terminate()
        worker.process.wait(40)


def test_a_successor_takes_over(worker: Worker) -> None:
    worker.process.send_signal(signal.SIGHUP)
    (stopped,) = eventually(lambda: worker.told("stopped"), within=30)
    first, second = worker.told("started")
    assert stopped["consumer"] == first["consumer"] != second["consumer"]


def test_without_a_successor_the_worker_goes_on(worker: Worker) -> None:
    worker.write("WHATSAPP_DAILY_LIMIT=many\n")
    worker.process.send_signal(signal.SIGHUP)
    eventually(lambda: worker.told("replace_failed"), within=30)
    assert worker.told("stopped") == []
    assert worker.process.poll() is None
