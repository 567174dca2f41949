"""Batches reach each customer once, whatever process dies, and replies go before them.

The short form sends three batches on the shared stack; `make chaos` sends 100,000 items in ten batches.
"""

from __future__ import annotations

import json
import random
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

import pytest
import requests

from tests.e2e.conftest import tells_nothing
from tests.e2e.leaks import SPOKEN
from tests.e2e.phones import customer
from tests.e2e.stack import WORKERS, Stack
from tests.eventually import eventually

# A send without a status after WA_SETTLE_SECONDS counts as lost and is sent again (WA_RESEND_UNKNOWN). On a busy
# machine statuses come late, so that a short time would send some items twice.
LONG = {"WHATSAPP_MESSAGES_PER_SECOND": "150", "WHATSAPP_DAILY_LIMIT": "0", "WA_SETTLE_SECONDS": "600"}
REPLY_P99_MS = 250


@pytest.fixture
def fast_stack(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory, long_form: bool
) -> Iterator[Stack]:
    """The shared stack, or in the long form a separate one with a higher rate."""
    if not long_form:
        yield request.getfixturevalue("stack")
        return
    with Stack(tmp_path_factory.mktemp("batches"), environment=LONG) as stack:
        stack.calm()
        stack.meta.call("POST", "limits", json={"throughput": False})
        # Under load Meta puts many updates in a delivery. One update each would mean 450 deliveries a second.
        stack.meta.call("POST", "behaviour", json={"batch": 1_000})
        yield stack
        tells_nothing(stack)


def ask(stack: Stack, number: int, wa_ids: list[str]) -> str:
    """Submit a batch, repeat the request until there is a response, and return the batch's id."""
    body = {"message": {"text": SPOKEN + " {{ n }}"}, "items": [{"to": wa_id, "n": number} for wa_id in wa_ids]}

    def asked() -> str | None:
        try:
            answer = stack.api("POST", "/v1/batches", json=body, headers={"Idempotency-Key": f"batch-{number}"})
        except requests.RequestException:
            return None
        return str(answer.json()["id"]) if answer.status_code == 202 else None

    return eventually(asked, within=120, every=0.1) or ""


def reply_times(stack: Stack) -> list[int]:
    """The milliseconds that each reply has waited, from its lane to Meta's response, sorted."""
    lines = (json.loads(line) for worker in WORKERS for line in stack.log(worker).splitlines() if line.startswith("{"))
    accepted = (line for line in lines if line["event"] == "whatsapp.send.accepted" and "message" in line)
    return sorted(line["waited_ms"] for line in accepted)


@pytest.mark.chaos
@pytest.mark.timeout(2_400)
def test_while_processes_die_each_item_is_sent_once_and_replies_go_beside(
    fast_stack: Stack, dice: random.Random, long_form: bool
) -> None:
    stack = fast_stack
    count, size, kills = (10, 10_000, 20) if long_form else (3, 50, 3)
    wa_ids = [customer(n) for n in range(size)]
    writers = [customer(90_000 + n) for n in range(200 if long_form else 6)]
    for first in range(0, size, 1_000):
        stack.meta.add_phones(wa_ids[first : first + 1_000])
    stack.meta.add_phones(writers)
    total = count * size

    def sent() -> int:
        return sum(amount for wa_id, amount in stack.meta.accepted().items() if wa_id not in writers)

    def wait_until_sent(goal: float) -> None:
        eventually(lambda: sent() >= goal, within=300 if long_form else 120, every=1 if long_form else 0.2)

    with ThreadPoolExecutor(count + 1) as pool:
        asking = [pool.submit(ask, stack, number, wa_ids) for number in range(count)]
        stack.kill_child("web")
        # More replies at once than the number may send in a second would wait for Meta's limit, not for the batches.
        for n in range(kills):
            wait_until_sent(total * n / (kills + 2))
            stack.meta.write(writers[n], SPOKEN)
            stack.kill_child(dice.choice(WORKERS))
            wait_until_sent(total * (n + 0.5) / (kills + 2))
            for writer in writers[kills + n :: kills]:
                stack.meta.write(writer, SPOKEN)
        batches = [each.result() for each in asking]

    def states() -> list[str]:
        return [stack.api("GET", f"/v1/batches/{batch}").json()["state"] for batch in batches]

    eventually(lambda: states() == ["done"] * count, within=1_200 if long_form else 90, every=0.5)
    accepted = stack.meta.accepted()
    assert {wa_id: accepted.get(wa_id, 0) for wa_id in wa_ids} == dict.fromkeys(wa_ids, count)
    told = [stack.api("GET", f"/v1/batches/{batch}").json() for batch in batches]
    assert [sum(batch["counts"].values()) for batch in told] == [size] * count
    eventually(lambda: stack.meta.accepted().keys() >= set(writers), within=60)
    times = reply_times(stack)
    # A reply whose worker was killed before Meta's response has a status, but no log line.
    assert len(times) >= len(writers) - kills
    median, p99 = times[len(times) // 2], times[int(len(times) * 0.99)]
    print(f"{total:,} items, {kills} kills; {len(times)} replies: {median} ms median, {p99} ms p99")
    if long_form:
        assert p99 <= REPLY_P99_MS, times[-20:]
