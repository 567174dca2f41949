"""A store in the previous form: everything in it is read, handled, sent and shown."""

from __future__ import annotations

import hashlib
import time
from collections.abc import Iterator
from typing import Any

import orjson
import pytest
import redis

from tests.integration.lanes import KEEP, NUMBER, Lanes, message, send
from tests.keys import PREFIX
from wa_service.store import keys
from wa_service.store.contacts import Contacts
from wa_service.store.dead_letters import DeadLetters
from wa_service.store.event_watch import EventWatch
from wa_service.store.events import Events
from wa_service.store.outbox import SendOutcome
from wa_service.web.event_routes import read_page
from wa_service.whatsapp.webhooks.events import Text, parse_piece

ANA, BEN = "15551230001", "15551230002"
NOW = int(time.time())


def form_1(customer: str, text: str, wamid: str) -> bytes:
    """A received event in form 1: long names, no `reason`."""
    raw = {"from": customer, "id": wamid, "timestamp": str(NOW), "type": "text", "text": {"body": text}}
    event = {
        "v": 1,
        "kind": "message",
        "field": "messages",
        "waba_id": "waba",
        "phone_number_id": NUMBER,
        "id": wamid,
        "timestamp": NOW,
        "addresses": [customer],
        "contact": {"profile": {"name": "Ana"}, "wa_id": customer},
        "raw": raw,
        "entry_time": NOW,
        "received": NOW * 1000,
    }
    return orjson.dumps(event)


def previous_store(client: Any) -> None:
    """Ana has two messages, of which the first was taken once, and a waiting send; Ben's message is a dead letter."""
    ana, ben = f"{NUMBER}:{ANA}", f"{NUMBER}:{BEN}"
    first, second, dead = form_1(ANA, "1", "wamid.1"), form_1(ANA, "2", "wamid.2"), form_1(BEN, "3", "wamid.3")
    client.zadd(f"{PREFIX}mailbox:{ana}", {first: NOW * 1_000_000 + 1, second: NOW * 1_000_000 + 2})
    lane = {"seq": 2, "token": 1, "deliveries": 1, "failures": 0, "head": hashlib.sha1(first).hexdigest()}
    client.hset(f"{PREFIX}conv:{ana}", mapping=lane)
    client.zadd(f"{PREFIX}due", {ana: NOW * 1000})
    for c, customer in ((ana, ANA), (ben, BEN)):
        contact = {"n": NUMBER, "name": "Ana", "last_in": NOW * 1000, "since": NOW * 1000, "addresses": customer}
        client.hset(f"{PREFIX}contact:{c}", mapping=contact | {"window_end": (NOW + 86_400) * 1000})
        client.set(f"{PREFIX}alias:{NUMBER}:{customer}", c, ex=KEEP)
    for wamid in ("wamid.1", "wamid.2", "wamid.3"):
        client.set(f"{PREFIX}seen:".encode() + keys.mark(NUMBER, wamid), "", ex=keys.SEEN_SECONDS)
    for c, event in ((ana, first), (ana, second), (ben, dead)):
        client.xadd(f"{PREFIX}events", {"k": "message", "c": c, "d": event})
    letter = {"v": 1, "kind": "failed", "reason": "ValueError", "tries": 5, "time": NOW * 1000}
    client.hset(f"{PREFIX}dead_letter:letter", mapping=letter | {"n": NUMBER, "c": ben, "event": dead})
    client.zadd(f"{PREFIX}dead", {"letter": NOW * 1000})
    waits = {"v": 1, "n": NUMBER, "c": ana, "type": "text", "body": send(ANA).body, "status": "queued", "rank": 0}
    waits |= {"s:queued": NOW * 1000, "expires": (NOW + 86_400) * 1000, "urgent": 1}
    client.hset(f"{PREFIX}record:waits", mapping=waits)
    client.rpush(f"{PREFIX}lane:{ana}", "waits")
    client.rpush(f"{PREFIX}to:{ana}", "waits")
    client.zadd(f"{PREFIX}out:{NUMBER}:0", {ana: NOW * 1000})


@pytest.fixture
def upgraded(lanes: Lanes, redis_client: redis.Redis) -> Lanes:
    """This version over that store."""
    previous_store(redis_client)
    return lanes


def handled(lanes: Lanes) -> Iterator[tuple[str, str]]:
    """Handle and answer what waits; yield each sender and text."""
    counter = 0
    while works := lanes.inbox.take("new", counter, 10)[1]:
        for work in works:
            event = parse_piece(work.stored.piece)
            assert isinstance(event, Text)
            assert lanes.inbox.finish(work, "new", [send(event.addresses[0], id=f"re {event.id}")])
            yield event.addresses[0], event.body
        counter += 1


def sent(lanes: Lanes) -> Iterator[str]:
    """Send what waits, and let Meta accept it; yield the records' ids in order."""
    while grants := lanes.grant():
        for grant in grants:
            lanes.outbox.done(NUMBER, grant, SendOutcome("accepted", wamid=f"wamid.of {grant.id}", meta_healthy=True))
            yield grant.id


def test_what_waited_is_handled_in_order_and_sent_behind_what_waited(upgraded: Lanes) -> None:
    assert list(handled(upgraded)) == [(ANA, "1"), (ANA, "2")]
    assert list(sent(upgraded)) == ["waits", "re wamid.1", "re wamid.2"]
    record = upgraded.records.get("waits")
    assert record is not None
    assert (record.status, record.number, record.wamid) == ("accepted", NUMBER, "wamid.of waits")


def test_the_tries_of_what_had_been_taken_are_counted_on(upgraded: Lanes) -> None:
    (work,) = upgraded.inbox.take("new", 0, 10)[1]
    assert work.deliveries == 2


def test_a_dead_letter_is_read_and_handled_again(upgraded: Lanes) -> None:
    letters = DeadLetters(upgraded.store, retention_seconds=KEEP)
    ((letter,), _) = letters.page()
    assert (letter.kind, letter.conversation) == ("failed", f"{NUMBER}:{BEN}")
    assert letters.replay("letter", message(BEN)) == "queued"
    assert (BEN, "3") in list(handled(upgraded))


def test_what_meta_delivers_again_is_a_duplicate(upgraded: Lanes) -> None:
    assert upgraded.admit(message(ANA, "1", id="wamid.1"), message(ANA, "4", id="wamid.4")) == [b"duplicate", b"new"]
    assert list(handled(upgraded)) == [(ANA, "1"), (ANA, "2"), (ANA, "4")]


def test_events_and_contacts_are_shown(upgraded: Lanes) -> None:
    events = Events(upgraded.store, retention_seconds=KEEP)
    shown: list[Any] = read_page(events, Contacts(upgraded.store, [NUMBER]), EventWatch(events), "", 0.0, 10).items
    assert [(event.kind, event.contact, event.data["message"]["text"]["body"]) for event in shown] == [
        ("message", ANA, "1"),
        ("message", ANA, "2"),
        ("message", BEN, "3"),
    ]
    (contact,) = Contacts(upgraded.store, [NUMBER]).find(ANA)
    assert (contact.name, contact.addresses, contact.last_in) == ("Ana", (ANA,), NOW * 1000)
