"""Each send reaches its customer once, whatever Meta, the network or our processes do."""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor

import pytest

from tests.e2e.leaks import SPOKEN
from tests.e2e.phones import NUMBER, customer
from tests.e2e.stack import WORKERS, Stack
from tests.eventually import eventually
from tests.keys import PREFIX

ASYNC = {"Prefer": "respond-async"}


def send(stack: Stack, wa_id: str, text: str = SPOKEN, **headers: str) -> str:
    """Submit a text with an idempotency key, repeat until there is a response, and return the record's id."""
    body = {"to": wa_id, "text": text}
    headers = {"Idempotency-Key": f"{wa_id}:{text}", **headers}

    def asked() -> str | None:
        answer = stack.api("POST", "/v1/messages", json=body, headers=headers)
        return str(answer.json()["id"]) if answer.status_code in {200, 202} else None

    return eventually(asked, within=60, every=0.1) or ""


def send_all(stack: Stack, wa_ids: Sequence[str], **headers: str) -> list[str]:
    with ThreadPoolExecutor(16) as pool:
        return list(pool.map(lambda wa_id: send(stack, wa_id, **headers), wa_ids))


def statuses(stack: Stack, record_ids: Sequence[str]) -> Counter[bytes]:
    with stack.redis.pipeline(transaction=False) as pipe:
        for record_id in record_ids:
            pipe.hget(f"{PREFIX}record:{record_id}", "status")
        return Counter(pipe.execute())


def all_delivered(stack: Stack, record_ids: Sequence[str], within: float) -> None:
    eventually(lambda: statuses(stack, record_ids) == {b"delivered": len(record_ids)}, within=within, every=0.1)


def each_got_one(stack: Stack, wa_ids: Sequence[str]) -> None:
    stack.meta.settled()
    counts = stack.meta.accepted()
    assert {wa_id: counts.get(wa_id, 0) for wa_id in wa_ids} == dict.fromkeys(wa_ids, 1)


@pytest.mark.chaos
@pytest.mark.timeout(400)
def test_lost_answers_refusals_and_refused_connections_send_each_message_once(
    stack: Stack, dice: random.Random, long_form: bool
) -> None:
    unit = 20 if long_form else 4
    wa_ids = [customer(n) for n in range(5 * unit)]
    dice.shuffle(wa_ids)
    lost, refused, unreached = wa_ids[: 2 * unit], wa_ids[2 * unit : 3 * unit], wa_ids[3 * unit : 4 * unit]
    for wa_id in lost:
        stack.meta.fault("answer_lost", phone=wa_id)
    for wa_id in refused:
        stack.meta.fault("error", phone=wa_id, status=503, code=131016)
    stack.meta.add_phones(wa_ids)
    reached = [wa_id for wa_id in wa_ids if wa_id not in unreached]
    dice.shuffle(reached)
    records = send_all(stack, reached[: 2 * unit])
    stack.meta.call("POST", "refuse", json={"seconds": 1})
    records += send_all(stack, unreached, **ASYNC)
    records += send_all(stack, reached[2 * unit :], **ASYNC)
    # Most first attempts fail, so several probes in a row may fail; each failed probe doubles the pause.
    all_delivered(stack, records, within=200 if long_form else 60)
    each_got_one(stack, wa_ids)


@pytest.mark.chaos
@pytest.mark.timeout(400)
def test_workers_killed_while_they_send_send_each_message_once(
    stack: Stack, dice: random.Random, long_form: bool
) -> None:
    wa_ids = [customer(n) for n in range(100 if long_form else 40)]
    stack.meta.add_phones(wa_ids)
    for wa_id in dice.sample(wa_ids, len(wa_ids) // 4):
        stack.meta.fault("delay", phone=wa_id, seconds=0.5)
    records = send_all(stack, wa_ids[: len(wa_ids) // 2], **ASYNC)
    for n in range(8 if long_form else 2):
        goal = len(records) * (n + 1) // 12
        eventually(lambda: sum(stack.meta.accepted().values()) >= goal, within=30)  # noqa: B023 - called at once
        stack.kill_child(WORKERS[n % 2])
        records += send_all(stack, wa_ids[len(records) : len(records) + len(wa_ids) // 8], **ASYNC)
    records += send_all(stack, wa_ids[len(records) :], **ASYNC)
    # A message without a status counts as not accepted, once three later messages have one.
    eventually(lambda: stack.waiting() == 0, within=60, every=0.1)
    records += send_all(stack, [customer(n) for n in range(900, 904)])
    all_delivered(stack, records, within=60)
    each_got_one(stack, wa_ids)


@pytest.mark.chaos
@pytest.mark.timeout(400)
def test_while_meta_is_down_sends_wait_and_afterwards_each_is_delivered_once(stack: Stack, long_form: bool) -> None:
    wa_ids = [customer(n) for n in range(400 if long_form else 100)]
    stack.meta.add_phones(wa_ids)
    stack.meta.call("POST", "refuse", json={"seconds": 20 if long_form else 4})
    records = send_all(stack, wa_ids, **ASYNC)
    circuit = f'whatsapp_circuit_state{{number="{NUMBER}"}}'
    eventually(lambda: stack.metric(circuit) == 2, within=5)
    assert stack.ready() == 200
    assert statuses(stack, records)[b"failed"] == 0
    all_delivered(stack, records, within=90)
    each_got_one(stack, wa_ids)
    assert stack.meta.seen(limit=0)["busiest_second"][NUMBER] <= 80
    assert stack.metric(circuit) == 0
