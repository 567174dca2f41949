"""Subscribers receive every event, in the order of each conversation, whatever process dies."""

from __future__ import annotations

import random
import threading
from collections import defaultdict
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler
from itertools import groupby
from typing import Any

import pytest
from standardwebhooks import Webhook

from tests.e2e.leaks import SPOKEN
from tests.e2e.phones import customer, delivery, message, messages
from tests.e2e.stack import START_SECONDS, WORKERS, Stack
from tests.eventually import eventually
from tests.tool_server import ToolServer
from wa_service.store.subscriptions import LEASE_SECONDS


class Receiver:
    """A subscriber that verifies each event and stores the texts by customer; while `away` is set it is unavailable.

    It responds once `answering` is set.
    """

    def __init__(self, url: str) -> None:
        self.url = url
        self.id = ""
        self.secret = ""
        self.away = threading.Event()
        self.answering = threading.Event()
        self.answering.set()
        self.asked = 0
        self.texts: dict[str, list[str]] = defaultdict(list)
        self.refused = 0

    def take(self, headers: dict[str, str], body: bytes) -> int:
        event: dict[str, Any] = Webhook(self.secret).verify(body, headers)
        self.asked += 1
        self.answering.wait(LEASE_SECONDS)
        if self.away.is_set():
            self.refused += 1
            return 503
        self.texts[event["contact"]].append(event["data"]["message"]["text"]["body"])
        return 200

    def in_order(self, wa_id: str) -> list[str]:
        """A customer's texts without consecutive repetitions."""
        return [text for text, _ in groupby(list(self.texts[wa_id]))]


@contextmanager
def subscribed(stack: Stack) -> Iterator[Receiver]:
    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"
        disable_nagle_algorithm = True

        def do_POST(self) -> None:
            status = receiver.take(dict(self.headers), self.rfile.read(int(self.headers["Content-Length"])))
            self.send_response(status)
            self.send_header("Content-Length", "0")
            self.end_headers()

        def log_message(self, *_: object) -> None:
            pass

    with ToolServer(("127.0.0.1", 0), Handler) as server:
        receiver = Receiver(f"http://127.0.0.1:{server.server_port}/")
        made = stack.api("POST", "/v1/subscriptions", json={"url": receiver.url, "kinds": ["message"]}).json()
        receiver.id, receiver.secret = made["id"], made["secret"]
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        try:
            yield receiver
        finally:
            stack.api("DELETE", f"/v1/subscriptions/{receiver.id}")
            server.shutdown()
            thread.join()


@pytest.mark.chaos
@pytest.mark.timeout(400)
def test_while_worker_and_store_die_each_subscriber_gets_all_in_order(
    stack: Stack, dice: random.Random, long_form: bool
) -> None:
    customers = [customer(n) for n in range(60 if long_form else 12)]
    texts = [f"{SPOKEN} {n}" for n in range(20 if long_form else 8)]
    total = len(customers) * len(texts)

    def write(wa_id: str) -> None:
        for text in texts:
            stack.webhooks.deliver(delivery(messages(message(wa_id, text))))

    def store_dies() -> None:
        stack.kill("valkey")
        stack.start("valkey")

    with subscribed(stack) as steady, subscribed(stack) as other, ThreadPoolExecutor(12) as pool:
        victims: list[Callable[[], None]] = [
            lambda: stack.kill_child("worker-1"),
            store_dies,
            lambda: stack.kill_child("worker-2"),
        ] * (5 if long_form else 1)
        dice.shuffle(victims)
        other.away.set()
        writing = [pool.submit(write, wa_id) for wa_id in customers]
        for n, kill in enumerate(victims, 1):
            goal = n * total // (4 * len(victims))
            eventually(lambda: sum(map(len, steady.texts.values())) >= goal, within=60)  # noqa: B023 - called at once
            kill()
        for done in writing:
            done.result()
        eventually(lambda: all(len(steady.in_order(wa_id)) >= len(texts) for wa_id in customers), within=60)
        assert (other.refused > 0, sum(map(len, other.texts.values()))) == (True, 0)
        other.away.clear()
        if not long_form:  # otherwise the next attempt comes within five minutes
            assert stack.api("POST", f"/v1/subscriptions/{other.id}/resume").status_code == 200
        eventually(lambda: all(len(other.in_order(wa_id)) >= len(texts) for wa_id in customers), within=320)
        for receiver in (steady, other):
            assert {wa_id: receiver.in_order(wa_id) for wa_id in customers} == dict.fromkeys(customers, texts)


def test_what_a_killed_worker_was_pushing_is_pushed_again_before_its_lease_ends(stack: Stack) -> None:
    with subscribed(stack) as receiver:
        receiver.answering.clear()
        stack.webhooks.deliver(delivery(messages(message(customer(1), SPOKEN))))
        eventually(lambda: receiver.asked, within=20)
        before = starts(stack)
        for part in WORKERS:
            stack.kill_child(part)
        receiver.answering.set()
        eventually(lambda: starts(stack) == before + len(WORKERS), within=START_SECONDS)
        eventually(lambda: receiver.asked > 1, within=LEASE_SECONDS / 2)


def starts(stack: Stack) -> int:
    """Return how often worker processes have started."""
    return sum(stack.log(part).count('"whatsapp.worker.started"') for part in WORKERS)
