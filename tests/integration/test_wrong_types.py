"""A key with the wrong type affects only its own customer, and only once."""

from __future__ import annotations

import pytest
import redis

from tests.integration.lanes import KEEP, NUMBER, Lanes, message, send
from tests.keys import NAMES, PREFIX
from wa_service.store.client import Store
from wa_service.store.contacts import Contacts
from wa_service.store.dead_letters import DeadLetters
from wa_service.store.outbox import SendOutcome

CUSTOMER = "15551230001"
CONVERSATION = f"{NUMBER}:{CUSTOMER}"
FAMILIES = ["mailbox", "conv", "lane", "contact"]


def spoil(client: redis.Redis, family: str) -> None:
    """Replace one of the customer's keys with a key of another type."""
    key = NAMES.of(family, CONVERSATION)
    client.delete(key)
    client.sadd(key, "what is this")


def letters(lanes: Lanes) -> list[str]:
    return [letter.reason for letter in DeadLetters(lanes.store, retention_seconds=KEEP).page()[0]]


@pytest.mark.parametrize("family", FAMILIES)
def test_others_are_handled(lanes: Lanes, redis_client: redis.Redis, family: str) -> None:
    lanes.admit(message(CUSTOMER), message("15551230002"))
    spoil(redis_client, family)
    conversations = {work.conversation for work in lanes.inbox.take("p", 0, 10)[1]}
    assert f"{NUMBER}:15551230002" in conversations
    assert (CONVERSATION in conversations) == (family != "mailbox")
    assert letters(lanes) == [f"its {family} key had the wrong type set"]


@pytest.mark.parametrize("family", FAMILIES)
def test_the_customer_may_write_again(lanes: Lanes, redis_client: redis.Redis, family: str) -> None:
    lanes.admit(message(CUSTOMER))
    lanes.inbox.take("p", 0, 10)
    spoil(redis_client, family)
    assert lanes.admit(message(CUSTOMER), message("15551230002")) == [b"new", b"new"]
    lanes.hurry()
    _, works = lanes.inbox.take("p", 1, 10)
    assert CONVERSATION in {work.conversation for work in works}
    assert all(lanes.inbox.finish(work, "p", [send(CUSTOMER)]) for work in works)


@pytest.mark.parametrize("family", ["lane", "pair", "record"])
def test_others_are_sent(lanes: Lanes, redis_client: redis.Redis, family: str) -> None:
    lanes.outbox.put(send(CUSTOMER, id="a"))
    lanes.outbox.put(send("15551230002", id="b"))
    if family == "record":
        redis_client.delete(NAMES.record("a"))
        redis_client.sadd(NAMES.record("a"), "what is this")
    else:
        spoil(redis_client, family)
    granted = [grant.id for grant in lanes.grant(count=5) + lanes.grant(count=5)]
    assert granted == (["a", "b"] if family == "pair" else ["b"])
    assert letters(lanes) == [f"its {family} key had the wrong type set"]


def test_answers_that_are_sent_again_pass_others_by(store: Store, redis_client: redis.Redis) -> None:
    """Whether their customers have the addresses still cannot be read."""
    lanes = Lanes.over(store, resend_unknown=True)
    for customer in (CUSTOMER, "15551230002"):
        lanes.outbox.put(send(customer, id=customer, origin="wamid.IN@0"))
    spoil(redis_client, "contact")

    lanes.grant(count=2)
    lanes.inbox.release_consumer("p", died=True, begun=[])
    for grant in lanes.grant(count=2):
        lanes.outbox.done(NUMBER, grant, SendOutcome("retry", never_left=True))
    for grant in lanes.grant(count=2):
        lanes.outbox.done(NUMBER, grant, SendOutcome("unknown"))
    redis_client.rpush(f"{PREFIX}confirmed:{NUMBER}", *[10**15] * 3)
    redis_client.zadd(f"{PREFIX}unknown", {CUSTOMER: 0, "15551230002": 0})
    lanes.outbox.settle()

    assert {grant.id for grant in lanes.grant(count=2)} == {CUSTOMER, "15551230002"}


def test_to_the_customer_may_be_sent_again(lanes: Lanes, redis_client: redis.Redis) -> None:
    lanes.outbox.put(send(CUSTOMER, id="a"))
    spoil(redis_client, "lane")
    assert lanes.outbox.put(send(CUSTOMER, id="b")).outcome == "queued"
    assert [grant.id for grant in lanes.grant(count=5)] == ["b"]


def test_what_was_set_aside_is_forgotten_with_the_customer(lanes: Lanes, redis_client: redis.Redis) -> None:
    lanes.admit(message(CUSTOMER))
    spoil(redis_client, "mailbox")
    lanes.inbox.take("p", 0, 10)
    assert redis_client.exists(NAMES.of("wrong_type", CONVERSATION))
    Contacts(lanes.store, [NUMBER]).forget(CUSTOMER)
    assert [key for key in redis_client.scan_iter("*") if CUSTOMER.encode() in key] == []
