"""A worker that is told to stop ends in time, whatever hangs in it."""

from __future__ import annotations

import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.eventually import eventually
from tests.integration.lanes import NUMBER, Lanes, message
from tests.keys import PREFIX

CONSUMER = "hangs"
STOP_SECONDS = 0.5


@pytest.fixture
def hanging(lanes: Lanes, valkey_url: str, tmp_path: Path) -> Iterator[subprocess.Popen[bytes]]:
    """A worker process that hangs in a message."""
    environment = {
        "PATH": "/usr/bin:/bin",
        "WA_ENV_FILE": "/dev/null",
        "WA_VAR_DIR": str(tmp_path),
        "REDIS_URL": valkey_url,
        "WHATSAPP_ACCESS_TOKEN": "token",
        "WHATSAPP_PHONE_NUMBER_ID": NUMBER,
        "WHATSAPP_VERIFY_TOKEN": "shake",
        "WHATSAPP_APP_SECRET": "pepper",
        "WHATSAPP_API_BASE_URL": "http://127.0.0.1:1",
        "WA_MARK_READ": "false",
    }
    lanes.admit(message(text="hangs"))
    program = Path(__file__).with_name("hanging_worker.py")
    process = subprocess.Popen([sys.executable, str(program), CONSUMER, str(STOP_SECONDS)], env=environment)
    try:
        eventually(lambda: lanes.store.do("HLEN", f"{PREFIX}leases:{CONSUMER}") == 1, within=30)
        yield process
    finally:
        process.kill()
        process.wait(10)


def test_a_handler_that_hangs_is_cut_off_and_its_lease_given_back(
    lanes: Lanes, hanging: subprocess.Popen[bytes]
) -> None:
    started = time.monotonic()
    hanging.terminate()
    assert hanging.wait(15) == 0
    assert time.monotonic() - started >= STOP_SECONDS
    (work,) = lanes.inbox.take("another", 0, 1)[1]
    assert (work.stored.piece.raw["text"]["body"], work.deliveries) == ("hangs", 1)
