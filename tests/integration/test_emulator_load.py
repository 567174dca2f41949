"""The memory that an emulator needs under load. Its speed is a matter of the benchmarks."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest

from meta_emulator import EmulatorConfig, RunningEmulator
from tests.integration.emulated_callback import VERIFY_TOKEN, Callback
from tests.integration.emulated_meta import NUMBER, SECRET, TOKEN, Meta

MESSAGES, CUSTOMERS, THREADS = 1_200, 200, 4
MEGABYTES = 150


@pytest.fixture
def emulator() -> Iterator[RunningEmulator]:
    with Callback() as callback:
        config = EmulatorConfig(TOKEN, SECRET, VERIFY_TOKEN, (NUMBER,), callback_url=callback.url, port=0)
        with RunningEmulator(config) as running:
            yield running


def send_share(url: str, first: int) -> None:
    meta = Meta(url)
    template: dict[str, Any] = {"type": "template", "template": {"name": "hello_world", "language": {"code": "en_US"}}}
    for number in range(first, MESSAGES, THREADS):
        meta.send(to=f"4477009{number % CUSTOMERS:05d}", **template)


@pytest.mark.skipif(sys.platform != "linux", reason="reads a process's memory as Linux shows it")
def test_every_message_of_a_burst_has_its_statuses_delivered_in_little_memory(emulator: RunningEmulator) -> None:
    meta = Meta(emulator.url)
    meta.do("limits", {"all": False})
    with ThreadPoolExecutor(THREADS) as threads:
        for share in [threads.submit(send_share, emulator.url, first) for first in range(THREADS)]:
            share.result()
    meta.settle(30)
    seen = meta.do("seen?limit=1", method="GET")
    resident = Path(f"/proc/{emulator.pid}/status").read_text().split("VmRSS:")[1].split()[0]
    assert seen["outcomes"] == {"accepted": MESSAGES}
    assert set(seen["accepted"].values()) == {MESSAGES // CUSTOMERS}
    assert seen["webhooks"]["delivered"] == 2 * MESSAGES
    assert int(resident) // 1024 < MEGABYTES
