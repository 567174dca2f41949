"""Acknowledged means stored: while the store cannot accept a write, no caller is told that it did."""

from __future__ import annotations

import threading
import time
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest

from tests.e2e.leaks import SPOKEN
from tests.e2e.phones import customer, delivery, message, messages
from tests.e2e.stack import WORKERS, Stack
from tests.eventually import eventually

# A webhook gives up on a frozen store after the socket timeout.
PATIENCE = 2.5


@pytest.mark.chaos
@pytest.mark.timeout(200)
def test_a_frozen_store_acknowledges_nothing_and_afterwards_each_message_is_answered_once(
    stack: Stack, long_form: bool
) -> None:
    customers = [customer(n) for n in range(20)]
    bodies = [delivery(messages(message(wa_id, f"{SPOKEN} 1"))) for wa_id in customers]
    stack.webhooks.deliver(delivery(messages(message(customer(99), f"{SPOKEN} 0"))))
    told: list[tuple[int, float]] = []
    thawed = threading.Event()
    until = time.monotonic() + (20 if long_form else 3)

    def insist(n: int) -> None:
        while not thawed.is_set() and time.monotonic() < until:
            started = time.monotonic()
            told.append((stack.webhooks.post(bodies[n], other_bytes=n % 2 == 0), time.monotonic() - started))
            thawed.wait(0.1)

    with stack.frozen("valkey"), ThreadPoolExecutor(len(bodies)) as pool:
        for done in [pool.submit(insist, n) for n in range(len(bodies))]:
            done.result()
    thawed.set()
    assert Counter(status for status, _ in told) == {503: len(told)}
    assert max(seconds for _, seconds in told) < PATIENCE
    with ThreadPoolExecutor(len(bodies)) as pool:
        list(pool.map(stack.webhooks.deliver, bodies))
    eventually(lambda: all(stack.meta.heard(wa_id) for wa_id in customers) and stack.waiting() == 0, within=30)
    assert [stack.meta.heard(wa_id) for wa_id in customers] == [[f"{SPOKEN} 1!"]] * len(customers)


@pytest.mark.parametrize("share", [0.9, 1.5], ids=["nearly_full", "overfull"])
def test_a_full_store_refuses_the_new_while_workers_finish_the_old(stack: Stack, share: float) -> None:
    customers = [customer(n) for n in range(20)]
    refused = delivery(messages(message(customer(50), f"{SPOKEN} late")))
    with stack.frozen("worker-1"), stack.frozen("worker-2"):
        for wa_id in customers:
            stack.webhooks.deliver(delivery(messages(message(wa_id, f"{SPOKEN} early"))))
        stack.redis.config_set("maxmemory", int(stack.redis.info("memory")["used_memory"] / share))
        # Each of the two web processes checks once a second.
        probe = delivery(messages(message(customer(51), f"{SPOKEN} probe")))
        eventually(lambda: all(stack.webhooks.post(probe) == 503 for _ in range(8)), within=10)
        assert stack.webhooks.post(refused) == 503
    eventually(lambda: all(stack.meta.heard(wa_id) for wa_id in customers), within=20)
    stack.redis.config_set("maxmemory", 0)
    stack.webhooks.deliver(refused)
    eventually(lambda: stack.meta.heard(customer(50)) == [f"{SPOKEN} late!"], within=10)


def test_two_broken_updates_of_a_thousand_do_not_hold_the_others(stack: Stack) -> None:
    # One in ten gets a reply: a thousand replies would take thirteen seconds.
    texts = [message(customer(n), f"{SPOKEN} " + "é" * 450) for n in range(1_000)]
    sent: list[object] = [one if n % 10 == 0 else reaction(one) for n, one in enumerate(texts)]
    body = delivery({**messages(*texts), "messages": sent})
    sent[300], sent[701] = {**texts[300], "from": ["7"]}, ["not", "an", "object"]
    # For up to a second a web process may still consider the store full, from the previous test; Meta waits 20 s.
    stack.webhooks.deliver(body, within=20)
    eventually(lambda: len(stack.meta.accepted()) >= 99 and stack.waiting() == 0, within=40, every=0.1)
    assert set(stack.meta.accepted().values()) == {1}
    letters = stack.api("GET", "/v1/dead-letters").json()["items"]
    assert [letter["kind"] for letter in letters] == ["malformed"] * 2
    assert stack.metric('whatsapp_queue_depth{queue="inbound"}') == 0


def reaction(to: dict[str, Any]) -> dict[str, Any]:
    """A message that needs no reply, as long as the text that it replaces."""
    kept = {name: to[name] for name in ("from", "id", "timestamp")}
    padding = {"referral": {"body": to["text"]["body"]}}
    return {**kept, **padding, "type": "reaction", "reaction": {"message_id": to["id"], "emoji": "👍"}}


def test_the_workers_wait_for_the_store_and_go_on(stack: Stack) -> None:
    stack.kill("valkey")
    assert all(stack.children(worker) for worker in WORKERS)
    before = [stack.children(worker) for worker in WORKERS]
    assert stack.webhooks.post(delivery(messages(message(customer(1), f"{SPOKEN} 1")))) == 503
    stack.start("valkey")
    stack.meta.write(customer(1), f"{SPOKEN} 2")
    eventually(lambda: stack.meta.heard(customer(1)), within=10)
    assert [stack.children(worker) for worker in WORKERS] == before
