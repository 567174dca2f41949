"""Two services with different tags share a server and do not see each other's data."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
import redis

from tests.integration.lanes import KEEP, NUMBER, Lanes, message, send
from wa_service.store.client import Store, connect
from wa_service.store.contacts import Contacts
from wa_service.store.events import Events

CUSTOMER = "15551230001"


@pytest.fixture
def both(valkey_url: str, redis_client: redis.Redis) -> Iterator[tuple[Lanes, Lanes]]:
    stores = [Store(connect(valkey_url), tag) for tag in ("one", "two")]
    first, second = (Lanes.over(store) for store in stores)
    yield first, second
    for store in stores:
        store.close()


def test_each_gets_its_own_messages(both: tuple[Lanes, Lanes]) -> None:
    first, second = both
    first.admit(message(text="for the first"))
    assert second.inbox.take("w", 1, 10) == (float("inf"), [])
    assert len(first.inbox.take("w", 1, 10)[1]) == 1


def test_the_same_message_is_no_duplicate_of_the_others(both: tuple[Lanes, Lanes]) -> None:
    assert [lanes.admit(message(id="wamid.SAME")) for lanes in both] == [[b"new"], [b"new"]]


def test_each_sends_its_own(both: tuple[Lanes, Lanes]) -> None:
    first, second = both
    first.outbox.put(send(id="a"))
    assert second.grant() == []
    assert second.records.get("a") is None
    assert [grant.id for grant in first.grant()] == ["a"]


def test_a_person_is_forgotten_by_one_and_not_by_the_other(both: tuple[Lanes, Lanes]) -> None:
    for lanes in both:
        lanes.admit(message(CUSTOMER))
    first, second = both
    Contacts(first.store, [NUMBER]).forget(CUSTOMER)
    assert Contacts(first.store, [NUMBER]).find(CUSTOMER) == []
    assert len(Contacts(second.store, [NUMBER]).find(CUSTOMER)) == 1
    assert len(Events(second.store, retention_seconds=KEEP).after("", 10)) == 1


def test_no_key_lies_outside_their_prefixes(both: tuple[Lanes, Lanes], redis_client: Any) -> None:
    for lanes in both:
        lanes.admit(message(CUSTOMER))
        _, (work,) = lanes.inbox.take("w", 1, 10)
        lanes.inbox.finish(work, "w", [send()])
        lanes.grant()
    assert {key.split(b"}")[0] for key in redis_client.keys("*")} == {b"wa:{one", b"wa:{two"}
