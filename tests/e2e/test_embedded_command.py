"""`python -m wa_service valkey`, as a process that others find by a file."""

from __future__ import annotations

import os
import signal
import stat
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
import redis

from tests.eventually import eventually

ROOT = Path(__file__).parents[2]
COMMAND = [sys.executable, "-m", "wa_service", "valkey"]


@pytest.fixture
def environment(tmp_path: Path) -> dict[str, str]:
    # No credential of Meta's: this command starts before they are there.
    return {"PATH": os.environ["PATH"], "WA_ENV_FILE": "/dev/null", "WA_VAR_DIR": str(tmp_path)}


@pytest.fixture
def running(environment: dict[str, str], tmp_path: Path) -> Iterator[subprocess.Popen[bytes]]:
    process = subprocess.Popen(COMMAND, cwd=ROOT, env=environment, stdout=subprocess.DEVNULL)
    eventually((tmp_path / "valkey.url").exists, within=20)
    yield process
    if process.poll() is None:
        process.terminate()
        process.wait(15)


def test_the_address_is_for_the_owner_only_and_answers(running: subprocess.Popen[bytes], tmp_path: Path) -> None:
    file = tmp_path / "valkey.url"
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    with redis.Redis.from_url(file.read_text().strip()) as client:
        assert client.ping()


def test_the_password_stands_in_no_process_list(running: subprocess.Popen[bytes], tmp_path: Path) -> None:
    password = (tmp_path / "valkey.url").read_text().split(":")[2].split("@")[0]
    lists = [path.read_bytes() for path in Path("/proc").glob("[0-9]*/cmdline") if os.access(path, os.R_OK)]
    assert not any(password.encode() in line for line in lists)


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_ends_the_server_and_takes_the_address_away(
    running: subprocess.Popen[bytes], tmp_path: Path, number: signal.Signals
) -> None:
    url = (tmp_path / "valkey.url").read_text().strip()
    running.send_signal(number)
    assert running.wait(15) == 0
    assert not (tmp_path / "valkey.url").exists()
    with redis.Redis.from_url(url) as client, pytest.raises(redis.ConnectionError):
        client.ping()


def test_a_client_gets_a_moment_to_leave(running: subprocess.Popen[bytes], tmp_path: Path) -> None:
    with redis.Redis.from_url((tmp_path / "valkey.url").read_text().strip()) as client:
        client.ping()
        running.terminate()
        client.set("written", "after the signal")
    assert running.wait(15) == 0


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux tells a child of its parent's death")
def test_the_server_dies_with_its_starter(running: subprocess.Popen[bytes], tmp_path: Path) -> None:
    url = (tmp_path / "valkey.url").read_text().strip()
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
    assert told.stderr.startswith("An embedded Valkey already works on ")
    assert told.stderr.count("\n") == 1
