"""Contacts, and the erasure of a person."""

from __future__ import annotations

import time

import orjson
import pytest
import redis

from tests.integration.lanes import KEEP, NUMBER, Lanes, message, meta_status, send
from tests.integration.personal import NAME, WORDS, contents, traces, wamid
from tests.keys import NAMES, PREFIX
from wa_service.store.client import Store
from wa_service.store.contacts import Contacts, UnknownAddressError
from wa_service.store.dead_letters import DeadLetters
from wa_service.store.events import Events
from wa_service.store.outbox import SendOutcome

CUSTOMER = "15551230001"
OTHER = "15559870002"


@pytest.fixture
def contacts(store: Store) -> Contacts:
    return Contacts(store, [NUMBER])


def test_a_customer_is_found_by_each_address(lanes: Lanes, contacts: Contacts) -> None:
    lanes.admit(message(CUSTOMER, user_id="US.7", name="Ana"))
    (by_number,) = contacts.find(CUSTOMER)
    (by_user_id,) = contacts.find("US.7")
    assert by_number == by_user_id
    assert by_number.name == "Ana"
    assert by_number.addresses == (CUSTOMER, "US.7")


def test_the_service_window_is_open_for_a_day_after_a_message(lanes: Lanes, contacts: Contacts) -> None:
    piece = message(CUSTOMER)
    lanes.admit(piece)
    (contact,) = contacts.find(CUSTOMER)
    assert contact.window_end == piece.timestamp * 1000 + 86_400_000


def test_an_unknown_address_is_nobody(contacts: Contacts) -> None:
    assert contacts.find("000") == []


def walk_every_road(lanes: Lanes, customer: str) -> None:
    """Leave every kind of trace that a customer can leave."""
    letters, events = DeadLetters(lanes.store, retention_seconds=KEEP), Events(lanes.store, retention_seconds=KEEP)
    lanes.admit(message(customer, WORDS, id=wamid(customer, "in"), user_id=f"US.{customer}", name=NAME))
    _, works = lanes.inbox.take("p", time.monotonic_ns(), 50)
    for work in works:
        lanes.inbox.finish(
            work, "p", [send(customer)], transcript=orjson.dumps({"message_id": wamid(customer)}).decode()
        )
    lanes.admit(message(customer, "poison", id=wamid(customer, "bad")))
    _, works = lanes.inbox.take("p", time.monotonic_ns(), 50)
    for work in works:
        lanes.inbox.dead_letter(work, "p", "failed", "ValueError")
    lanes.admit(message(customer, "waits", id=wamid(customer, "wait")))
    lanes.outbox.put(send(customer, type="template"), opens=True)
    for grant in lanes.grant(count=10):
        whom = grant.conversation.partition(":")[2]
        lanes.outbox.done(NUMBER, grant, SendOutcome("accepted", wamid=wamid(whom, grant.id), wa_id=whom))
    lanes.outbox.put(send(customer, id=f"unknown{customer}"))
    preferences = {"user_preferences": [{"wa_id": customer, "value": "stop"}]}
    lanes.store.run(
        [
            lanes.outbox.apply_status(meta_status(wamid(customer, "foreign"), "sent", recipient_id=customer), 1),
            events.stray({"n": "1", "m": {"from": customer}}),
            events.management("user_preferences", {}, preferences),
            letters.add(message(customer, id=wamid(customer, "torn")), 1),
        ]
    )


def test_a_customer_leaves_traces_before(lanes: Lanes, redis_client: redis.Redis) -> None:
    walk_every_road(lanes, CUSTOMER)
    assert len(list(traces(redis_client, CUSTOMER))) >= 10


def test_forgetting_leaves_nothing_of_a_person(lanes: Lanes, contacts: Contacts, redis_client: redis.Redis) -> None:
    walk_every_road(lanes, CUSTOMER)
    assert contacts.forget(CUSTOMER) > 10
    assert list(traces(redis_client, CUSTOMER)) == []


def test_forgetting_by_the_business_scoped_id_is_the_same(
    lanes: Lanes, contacts: Contacts, redis_client: redis.Redis
) -> None:
    walk_every_road(lanes, CUSTOMER)
    contacts.forget(f"US.{CUSTOMER}")
    assert list(traces(redis_client, CUSTOMER)) == []


def test_forgetting_one_person_keeps_the_others(lanes: Lanes, contacts: Contacts) -> None:
    walk_every_road(lanes, CUSTOMER)
    walk_every_road(lanes, OTHER)
    contacts.forget(CUSTOMER)
    assert contacts.find(OTHER) != []
    _, (work,) = lanes.inbox.take("p", time.monotonic_ns(), 5)
    assert work.conversation == f"{NUMBER}:{OTHER}"
    assert lanes.records.get(f"unknown{OTHER}") is not None


@pytest.mark.parametrize("address", ["", "+", "1", "0", "wamid", "failed", NUMBER[:-1] + "x"])
def test_what_can_be_nobodys_address_is_refused_and_nothing_is_erased(
    lanes: Lanes, contacts: Contacts, redis_client: redis.Redis, address: str
) -> None:
    walk_every_road(lanes, CUSTOMER)
    before = contents(redis_client)
    with pytest.raises(UnknownAddressError):
        contacts.forget(address)
    assert contents(redis_client) == before


@pytest.mark.parametrize(
    "address", [CUSTOMER[1:], CUSTOMER[:-1], f"49{CUSTOMER}", f"US.{CUSTOMER[:-1]}", NUMBER], ids=str
)
def test_an_address_that_is_contained_in_another_erases_nobody_else(
    lanes: Lanes, contacts: Contacts, redis_client: redis.Redis, address: str
) -> None:
    walk_every_road(lanes, CUSTOMER)
    before = contents(redis_client)
    assert contacts.forget(address) == 0
    assert contents(redis_client) == before


def test_a_group_whose_id_is_as_short_as_any_button_s_is_forgotten_alone(
    lanes: Lanes, contacts: Contacts, redis_client: redis.Redis
) -> None:
    walk_every_road(lanes, CUSTOMER)
    before = contents(redis_client)
    lanes.outbox.put(send("1"))
    assert contacts.forget("1") > 0
    redis_client.lpop(NAMES.wake_out(NUMBER))  # a wake-up has no personal data
    assert contents(redis_client) == before


def test_a_number_is_forgotten_however_it_is_written(
    lanes: Lanes, contacts: Contacts, redis_client: redis.Redis
) -> None:
    walk_every_road(lanes, CUSTOMER)
    contacts.forget(f"+{CUSTOMER[0]} ({CUSTOMER[1:4]}) {CUSTOMER[4:7]}-{CUSTOMER[7:]}")
    assert list(traces(redis_client, CUSTOMER)) == []


def test_forgotten_work_is_not_written_back(lanes: Lanes, contacts: Contacts, redis_client: redis.Redis) -> None:
    lanes.admit(message(CUSTOMER))
    _, (work,) = lanes.inbox.take("p", 0, 1)
    contacts.forget(CUSTOMER)
    assert not lanes.inbox.finish(work, "p", [send(CUSTOMER)], stamps={"unsupported_at": 0})
    assert list(traces(redis_client, CUSTOMER)) == []


def test_a_forgotten_customer_may_write_again(lanes: Lanes, contacts: Contacts) -> None:
    lanes.admit(message(CUSTOMER))
    contacts.forget(CUSTOMER)
    assert lanes.admit(message(CUSTOMER, text="me again")) == [b"new"]
    assert len(lanes.inbox.take("p", 0, 5)[1]) == 1


def test_the_pair_key_is_the_customers_too(lanes: Lanes, contacts: Contacts, redis_client: redis.Redis) -> None:
    lanes.outbox.put(send(CUSTOMER))
    lanes.grant()
    contacts.forget(CUSTOMER)
    assert not redis_client.exists(f"{PREFIX}pair:{NUMBER}:{CUSTOMER}")
    assert redis_client.zcard(NAMES.busy) == 0
