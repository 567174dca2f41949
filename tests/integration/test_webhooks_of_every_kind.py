"""Whatever Meta's reference describes is acknowledged, reported as its kind, and never a dead letter.

The deliveries are generated at random (tests/meta_webhooks.py) and handled by a worker with the packaged script.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from typing import Any

import pytest
import redis

from tests.drawn_cases import run_cases
from tests.integration.test_field_cases import DESK, Desk
from tests.meta_webhooks import CHANGES, OURS, Case, deliveries
from tests.unit.web.conftest import Start, Web
from tests.unit.web.conftest import lines as lines
from tests.unit.web.conftest import start_for_the_file as start_for_the_file
from tests.unit.web.deliveries import NUMBER, OTHER_NUMBER, WABA

CASES, MANY = 10, 600
TOLD = {"message", "status", "foreign_status", "management", "echo", "standby", "handover", "history"}


@pytest.fixture(scope="module")
def process_of_the_file(start_for_the_file: Start) -> Web:
    more = {"WA_GROUPS": "answer", "WHATSAPP_DAILY_LIMIT": "0", "WHATSAPP_MESSAGES_PER_SECOND": "1000"}
    return start_for_the_file(DESK | more)


@pytest.fixture
def desk(process_of_the_file: Web, redis_client: redis.Redis, lines: list[dict[str, Any]]) -> Iterator[Desk]:
    """A desk that answers groups as well, without a reply limit."""
    desk = Desk(process_of_the_file)
    yield desk
    desk.stop()


def told(desk: Desk) -> Counter[str]:
    items = desk.web.get("/v1/events?limit=500").json["items"]
    return Counter(item["kind"] for item in items if item["kind"] in TOLD)


def check(desk: Desk, client: redis.Redis, case: Case) -> None:
    client.flushdb()
    for wamid in OURS:
        desk.sent(wamid, {"to": "447700900999", "text": "hello"})
    answer = desk.web.webhook(case.body)
    assert answer.status_code == 200, case.body
    desk.work()
    assert desk.web.get("/v1/dead-letters").json["items"] == [], case.body
    found = told(desk)
    assert {kind: count for kind, count in found.items() if count} == case.expected.events, case.body
    for address in case.expected.writers:
        contact = desk.contact(address)
        assert contact is not None, case.body
        assert contact["window_open"] is True, case.body
    for address in set(case.expected.bystanders) - set(case.expected.writers):
        contact = desk.contact(address)
        assert contact is None or contact["window_open"] is False, case.body


@pytest.mark.chaos
@pytest.mark.parametrize("kind", CHANGES)
def test_a_webhook_of_every_kind_is_told_as_what_it_is(
    desk: Desk, redis_client: redis.Redis, kind: str, long_form: Any
) -> None:
    numbers = [NUMBER, OTHER_NUMBER]
    cases = deliveries(numbers, WABA, [kind])
    run_cases(lambda case: check(desk, redis_client, case), cases, MANY if long_form else CASES)


@pytest.mark.chaos
def test_a_delivery_of_many_kinds_is_told_as_what_it_is(desk: Desk, redis_client: redis.Redis, long_form: Any) -> None:
    cases = deliveries([NUMBER, OTHER_NUMBER], WABA, CHANGES)
    run_cases(lambda case: check(desk, redis_client, case), cases, 3 * (MANY if long_form else CASES))
