"""`python -m wa_service valkey` as a process that other processes find by its socket."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
import redis

from tests.eventually import eventually
from wa_service.store.embedded_valkey import embedded_url

ROOT = Path(__file__).parents[2]
COMMAND = [sys.executable, "-m", "wa_service", "valkey"]


@pytest.fixture
def environment(tmp_path: Path) -> dict[str, str]:
    # No credentials of Meta: this command must start without them.
    return {"PATH": os.environ["PATH"], "WA_ENV_FILE": "/dev/null", "WA_VAR_DIR": str(tmp_path)}


@pytest.fixture
def running(environment: dict[str, str], tmp_path: Path) -> Iterator[subprocess.Popen[bytes]]:
    process = subprocess.Popen(COMMAND, cwd=ROOT, env=environment, stdout=subprocess.DEVNULL)
    embedded_url(tmp_path, wait=20)
    yield process
    if process.poll() is None:
        process.terminate()
        process.wait(15)


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_ends_the_server(running: subprocess.Popen[bytes], tmp_path: Path, number: signal.Signals) -> None:
    url = embedded_url(tmp_path)
    running.send_signal(number)
    assert running.wait(15) == 0
    with redis.Redis.from_url(url) as client, pytest.raises(redis.ConnectionError):
        client.ping()


def test_a_client_gets_a_moment_to_leave(running: subprocess.Popen[bytes], tmp_path: Path) -> None:
    with redis.Redis.from_url(embedded_url(tmp_path)) as client:
        client.ping()
        running.terminate()
        client.set("written", "after the signal")
    assert running.wait(15) == 0


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux tells a child of its parent's death")
def test_the_server_dies_with_its_starter(running: subprocess.Popen[bytes], tmp_path: Path) -> None:
    url = embedded_url(tmp_path)
    running.kill()
    running.wait()

    def gone() -> bool:
        with redis.Redis.from_url(url) as client:
            try:
                return not client.ping()
            except redis.ConnectionError:
                return True

    eventually(gone, within=10)


def test_a_second_one_on_the_same_directory_is_one_sentence(
    running: subprocess.Popen[bytes], environment: dict[str, str]
) -> None:
    told = subprocess.run(COMMAND, cwd=ROOT, env=environment, capture_output=True, text=True, check=False)
    assert told.returncode == 1
    assert told.stderr.startswith("An embedded Valkey already runs on ")
    assert told.stderr.count("\n") == 1
