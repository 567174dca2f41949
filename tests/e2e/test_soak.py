"""Malicious callers run for minutes, with a key and without, beside 100 webhooks a second: no webhook is delayed."""

from __future__ import annotations

import hashlib
import hmac
import json
import os
import subprocess
import sys
import time
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
import requests

from tests.e2e.leaks import SPOKEN
from tests.e2e.phones import API_KEY, APP_SECRET, customer, delivery, message, messages
from tests.e2e.stack import Stack

ROOT = Path(__file__).parents[2]
RATE = int(os.environ.get("SOAK_RATE", "100"))
SECONDS = float(os.environ.get("SOAK_SECONDS", "600"))
SENDERS = 8
LONGEST = 2.5
"""The most seconds for one webhook, on an otherwise idle machine."""
MOST_GROWTH = 256 * 1024 * 1024


def resident(pids: list[int]) -> int:
    """The resident memory of the processes in bytes."""
    page = os.sysconf("SC_PAGE_SIZE")
    return sum(int(Path(f"/proc/{pid}/statm").read_text().split()[1]) * page for pid in pids)


class Sender:
    """Posts webhooks at a steady rate on one connection."""

    def __init__(self, url: str, place: int, until: float) -> None:
        self._url = url
        self._place = place
        self._until = until
        self.longest = 0.0
        self.statuses: Counter[int] = Counter()

    def run(self) -> None:
        session = requests.Session()
        session.trust_env = False
        started, n = time.monotonic(), 0
        while time.monotonic() < self._until:
            due = started + n * SENDERS / RATE
            time.sleep(max(0.0, due - time.monotonic()))
            self._post(session, n)
            n += 1

    def _post(self, session: requests.Session, n: int) -> None:
        body = delivery(messages(message(customer(n % 50), f"{SPOKEN} {self._place} {n}")))
        raw = json.dumps(body).encode()
        signature = hmac.new(APP_SECRET.encode(), raw, hashlib.sha256).hexdigest()
        headers = {"Content-Type": "application/json", "X-Hub-Signature-256": f"sha256={signature}"}
        before = time.monotonic()
        try:
            self.statuses[session.post(self._url, data=raw, headers=headers, timeout=20).status_code] += 1
        except requests.RequestException:
            self.statuses[0] += 1
        self.longest = max(self.longest, time.monotonic() - before)


@pytest.mark.chaos_only
@pytest.mark.timeout(SECONDS + 180)
def test_hostile_callers_hold_no_webhook_up(tmp_path: Path) -> None:
    environment = {"WA_RESPONDER": "none", "WA_API_RATE": "6000/minute"}
    with Stack(tmp_path, web_processes=2, environment=environment) as stack:
        host, port = stack.url.removeprefix("http://").split(":")
        before = resident(stack.children("web"))
        command = [sys.executable, "-m", "tests.e2e.hostile_callers", host, port, API_KEY, str(SECONDS)]
        with subprocess.Popen(command, cwd=ROOT) as hostile, ThreadPoolExecutor(SENDERS) as pool:
            until = time.monotonic() + SECONDS
            senders = [Sender(f"{stack.url}/webhooks/whatsapp", place, until) for place in range(SENDERS)]
            list(pool.map(Sender.run, senders))
            grown = resident(stack.children("web")) - before
            hostile.wait(60)
        restarts = stack.log("web").count("WORKER TIMEOUT")

    statuses = sum((sender.statuses for sender in senders), Counter())
    longest = max(sender.longest for sender in senders)
    print(f"\n{sum(statuses.values())} webhooks, the longest {longest:.2f} s, {grown / 2**20:.0f} MiB more")
    assert (set(statuses), restarts) == ({200}, 0)
    assert statuses[200] >= 0.9 * RATE * SECONDS
    assert longest <= LONGEST
    assert grown <= MOST_GROWTH
