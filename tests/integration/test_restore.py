"""After a restore, commands of docs/operations.md empty the queues: what is old is not sent again, what is new is."""

from __future__ import annotations

import itertools
import os
import re
import subprocess
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import redis

from tests.eventually import eventually
from tests.integration.lanes import KEEP, NUMBER, Lanes, message, send
from tests.integration.test_batches import item
from tests.keys import NAMES, PREFIX
from wa_service.store.batches import Batches, NewBatch
from wa_service.store.client import Store
from wa_service.store.inbox import Inbox, Work
from wa_service.store.keys import QUEUES, template_key
from wa_service.store.outbox import Idempotency, Limits, Outbox, SendOutcome
from wa_service.store.records import item_record
from wa_service.store.schedule import Schedule
from wa_service.store.template_pauses import TemplatePauses

PAGE = Path(__file__).parents[2] / "docs/operations.md"
HOUR = 3_600_000
WAITING, TAKEN, NEW = "15551230001", "15551230002", "15551230003"
TO = {what: f"1555987{index:04}" for index, what in enumerate(["lane", "claimed", "unknown", "scheduled", "held"])}
ITEMS = {item_record("b1", index) for index in (0, 1)}
ONCE = Idempotency(NAMES.idempotency("key", "once"), "print", 0)
BY_TIME = {"due", "out", "busy", "unknown", "scheduled", "batch_later", "batches"}
counters = itertools.count(2)


def commands() -> list[str]:
    """Return the page's commands: those that empty the queues, then those that start the retention of records."""
    page = PAGE.read_text(encoding="utf-8")
    section = page[page.index("**After a restore, messages may be repeated.**") : page.index("## Upgrade")]
    return re.findall(r"^ *```sh\n(.*?)^ *```", section, re.MULTILINE | re.DOTALL)


@pytest.fixture
def empty_the_queues(valkey_url: str, require_program: Callable[[str], Path]) -> Callable[[], None]:
    """Return a function that runs the page's commands on the test's server."""
    require_program("redis-cli")
    socket = re.match(r"unix://([^?]+)", valkey_url)  # which redis-cli takes as an option only

    def run() -> None:
        assert len(commands()) == 2
        for command in commands():
            line = command.replace('-u "$REDIS_URL"', f"-s '{socket[1]}'") if socket else command
            environ = os.environ | {"REDIS_URL": valkey_url}
            told = subprocess.run(["sh", "-euc", line], env=environ, capture_output=True, text=True, check=False)
            assert (told.returncode, told.stderr) == (0, "")

    return run


@pytest.fixture
def lanes(store: Store) -> Lanes:
    """Lanes whose messages wait for more, as a head that was taken then matters, and that send unknown sends again."""
    lanes = Lanes.over(store)
    lanes.inbox = Inbox(store, retention_seconds=KEEP, debounce=0.05, debounce_most=0.1)
    lanes.outbox = Outbox(store, KEEP, limits={NUMBER: Limits(80, 1000, "waba")}, resend_unknown=True)
    return lanes


@pytest.fixture
def batches(lanes: Lanes) -> Batches:
    return Batches(lanes.outbox, ttl_seconds=3_600)


def make_all_due(client: Any) -> None:
    for key in client.keys(f"{PREFIX}*"):
        if NAMES.part_of(key)[0] in BY_TIME and key != f"{PREFIX}batches".encode():
            client.zadd(key, dict.fromkeys(client.zrange(key, 0, -1), 0))


def fill(lanes: Lanes, batches: Batches) -> None:
    """Store one of everything that can wait or be in progress."""
    client = lanes.store.client
    lanes.admit(message(TAKEN))
    make_all_due(client)
    assert len(lanes.inbox.take("dead", 1, 8)[1]) == 1
    lanes.admit(message(WAITING))

    lanes.outbox.put(send(TO["claimed"], id="claimed"))
    lanes.outbox.put(send(TO["unknown"], id="unknown"))
    for grant in lanes.grant(consumer="dead", count=2):
        if grant.id == "unknown":
            lanes.outbox.done(NUMBER, grant, SendOutcome("unknown"))
    client.rpush(f"{PREFIX}confirmed:{NUMBER}", *[int(time.time() * 1000) + HOUR] * 3)

    lanes.outbox.put(send(TO["held"], id="held", type="template", template=template_key("offer", "en_US")), opens=True)
    lanes.store.run([TemplatePauses(lanes.store, "waba", [NUMBER]).hold("offer", "en_US", 3600)])
    assert lanes.grant() == []
    lanes.outbox.put(send(TO["lane"], id="lane", caller="key"), idempotency=ONCE)
    in_an_hour, later = int(time.time() * 1000) + HOUR, item(1)
    lanes.outbox.put(send(TO["scheduled"], id="scheduled", send_at=in_an_hour))
    batches.open(NewBatch("b1", "print", "key"))
    batches.add("b1", 0, 2, [item(0), replace(later, send=replace(later.send, send_at=in_an_hour))])
    batches.change("b1", "start")


def handled_and_sent(lanes: Lanes, batches: Batches) -> tuple[set[str], set[str]]:
    """Return the customers and the sends that the workers' steps hand out when all that waits is due."""
    client = lanes.store.client
    lanes.store.run([TemplatePauses(lanes.store, "waba", [NUMBER]).release("offer", "en_US")])
    for step in (lanes.outbox.reap, lanes.outbox.settle, lambda: Schedule(lanes.outbox).move_due(NUMBER, 100)):
        make_all_due(client)
        step()
    make_all_due(client)
    batches.feed(NUMBER, {})
    make_all_due(client)
    works = lanes.inbox.take("restored", 1, 8)[1]
    sent = {grant.id for grant in lanes.grant(consumer="restored", count=16)}
    return {work.conversation.partition(":")[2] for work in works}, sent


def test_otherwise_everything_that_waited_is_handled_and_sent(lanes: Lanes, batches: Batches) -> None:
    fill(lanes, batches)
    assert handled_and_sent(lanes, batches) == ({WAITING, TAKEN}, {*TO, *ITEMS})


def test_with_empty_queues_nothing_old_is_handled_or_sent(
    lanes: Lanes, batches: Batches, empty_the_queues: Callable[[], None]
) -> None:
    fill(lanes, batches)
    empty_the_queues()
    assert handled_and_sent(lanes, batches) == (set(), set())
    batches.change("b1", "pause")
    batches.change("b1", "resume")
    lanes.inbox.release_consumer("dead", died=True)
    assert handled_and_sent(lanes, batches) == (set(), set())


def test_with_empty_queues_what_is_new_is_handled_and_sent(
    lanes: Lanes, batches: Batches, empty_the_queues: Callable[[], None]
) -> None:
    fill(lanes, batches)
    empty_the_queues()
    lanes.admit(*(message(customer, "new") for customer in (NEW, WAITING, TAKEN)))
    lanes.outbox.put(send(NEW, id="new"))
    lanes.outbox.put(send(TO["lane"], id="again"))
    batches.open(NewBatch("b2", "print", "key"))
    batches.add("b2", 0, 1, [item(0)])
    batches.change("b2", "start")
    # The messages wait for more; without anything else their time comes.
    works: list[Work] = []

    def are_taken() -> bool:
        works.extend(lanes.inbox.take("restored", next(counters), 8)[1])
        return len(works) == 3

    eventually(are_taken)
    assert {work.conversation.partition(":")[2] for work in works} == {NEW, WAITING, TAKEN}
    assert {work.stored.piece.raw["text"]["body"] for work in works} == {"new"}
    assert not any(work.behind for work in works)
    batches.feed(NUMBER, {})
    assert {grant.id for grant in lanes.grant(count=16)} == {"new", "again", item_record("b2", 0)}


def test_with_empty_queues_the_rest_stays_as_it_was(
    lanes: Lanes, batches: Batches, redis_client: redis.Redis, empty_the_queues: Callable[[], None]
) -> None:
    fill(lanes, batches)
    before: dict[Any, Any] = {key: redis_client.dump(key) for key in redis_client.keys(f"{PREFIX}*")}
    empty_the_queues()

    left = set(redis_client.keys(f"{PREFIX}*"))
    queues = {(name.partition(":")[0], ":" in name) for name in QUEUES}
    gone = [NAMES.part_of(key) for key in before.keys() - left]
    assert {(family, bool(rest)) for family, rest in gone} <= queues
    assert {key: redis_client.dump(key) for key in left} == {key: before[key] for key in left}
    record = lanes.records.get("lane")
    assert record is not None
    assert record.status == "queued"
    repeated = lanes.outbox.put(send(TO["lane"], id="other"), idempotency=ONCE)
    assert (repeated.outcome, repeated.id) == ("replayed", "lane")


def test_with_empty_queues_records_end_with_the_retention(
    lanes: Lanes, batches: Batches, redis_client: redis.Redis, empty_the_queues: Callable[[], None]
) -> None:
    fill(lanes, batches)
    redis_client.expire(NAMES.record("lane"), 60)
    assert redis_client.ttl(NAMES.record("held")) == -1
    empty_the_queues()
    left = {key: redis_client.ttl(key) for key in redis_client.keys(f"{PREFIX}record:*")}
    assert left.pop(NAMES.record("lane").encode()) <= 60
    assert len(left) >= 4
    assert {30 * 86_400 - seconds < 60 for seconds in left.values()} == {True}


def test_with_empty_queues_a_canceled_batch_ends(
    lanes: Lanes, batches: Batches, empty_the_queues: Callable[[], None]
) -> None:
    fill(lanes, batches)
    batches.feed(NUMBER, {})
    empty_the_queues()
    batches.change("b1", "cancel")
    batches.sweep_canceled()
    batch = batches.get("b1")
    assert batch is not None
    assert batch.counts == {"canceled": 2}
