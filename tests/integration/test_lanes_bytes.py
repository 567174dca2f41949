"""A customer's messages have limited room in the store: large events have a separate key, a day's bytes a limit."""

from __future__ import annotations

from dataclasses import replace

import orjson
import pytest

from tests.integration.lanes import KEEP, NUMBER, Lanes, message, send
from tests.keys import PREFIX
from wa_service.store.client import Store
from wa_service.store.contacts import Contacts
from wa_service.store.dead_letters import DeadLetters
from wa_service.store.events import Events
from wa_service.store.outbox import SendOutcome
from wa_service.store.schedule import Schedule

LARGE = "x" * 20_000
CUSTOMER = "15551230001"


@pytest.fixture
def events(store: Store) -> Events:
    return Events(store, retention_seconds=KEEP)


def test_a_large_event_stands_aside_whole_and_is_handled(lanes: Lanes, events: Events, store: Store) -> None:
    lanes.admit(message(text=LARGE, id="wamid.LARGE"))

    (entry,) = events.after("", 10)
    whole = events.find(entry.cursor)
    _, works = lanes.inbox.take("p", 1, 10)

    assert (entry.data["m"]["left_out"], entry.data["m"]["id"], "text" in entry.data["m"]) == (
        True,
        "wamid.LARGE",
        False,
    )
    assert whole is not None
    assert whole.data["m"]["text"] == {"body": LARGE}
    assert works[0].stored.piece.raw["text"] == {"body": LARGE}
    assert 0 < store.do("TTL", f"{PREFIX}large_event:{entry.cursor}") <= KEEP


def test_beyond_a_day_s_bytes_small_messages_are_handled_and_told_by_their_short_values(
    lanes: Lanes, events: Events, store: Store
) -> None:
    lanes.admit(message())
    store.do("INCRBY", f"{PREFIX}received_bytes:{NUMBER}:{CUSTOMER}", 1 << 20)

    answers = lanes.admit(message(text="one more", id="wamid.MORE"), message(text=LARGE))

    first, second, third = events.after("", 10)
    letters, _ = DeadLetters(store, retention_seconds=60).page()
    assert answers == [b"new", b"flood"]
    assert ("text" in first.data["m"], second.data["m"]["left_out"], third.data["m"]["left_out"]) == (True, True, True)
    assert [letter.kind for letter in letters] == ["flood"]
    assert events.find(third.cursor) == third
    assert store.do("KEYS", f"{PREFIX}large_event:*") == []


def test_two_megabytes_of_one_customer_leave_less_than_two_in_the_stream(lanes: Lanes, store: Store) -> None:
    lanes.admit(*(message(text="\u4f60" * 4_000, id=f"wamid.{n}") for n in range(200)))

    size = store.do("MEMORY", "USAGE", f"{PREFIX}events", "SAMPLES", 0)

    assert store.do("XLEN", f"{PREFIX}events") == 200
    assert size < 2_000_000


def test_the_large_event_of_a_person_is_erased(lanes: Lanes, store: Store) -> None:
    lanes.admit(message(text=LARGE))

    Contacts(store, (NUMBER,), retention_seconds=KEEP).forget(CUSTOMER)

    assert store.do("KEYS", f"{PREFIX}large_event:*") == []
    assert store.do("KEYS", f"{PREFIX}received_bytes:*") == []


def test_a_revoked_large_event_is_not_kept(lanes: Lanes, store: Store) -> None:
    lanes.admit(message(text=LARGE, id="wamid.GONE"))
    revoke = message(id="wamid.REVOKE")
    revoke.raw.clear()
    revoke.raw.update({"id": "wamid.REVOKE", "type": "revoke", "revoke": {"original_message_id": "wamid.GONE"}})

    lanes.admit(revoke)

    assert store.do("KEYS", f"{PREFIX}large_event:*") == []
    assert LARGE.encode() not in orjson.dumps([str(entry) for entry in store.do("XRANGE", f"{PREFIX}events", "-", "+")])


def unsent(store: Store) -> int:
    return int(store.do("HGET", f"{PREFIX}unsent_bytes", "tool") or 0)


def test_what_waits_of_one_api_key_has_an_end(lanes: Lanes, store: Store) -> None:
    put = lanes.outbox.put
    first = send(caller="tool")
    assert (put(first).outcome, unsent(store)) == ("queued", len(first.body))
    store.do("HSET", f"{PREFIX}unsent_bytes", "tool", 64 << 20)

    answers = [put(send(caller=caller)).outcome for caller in ("tool", "another", None)]

    assert answers == ["unsent_bytes", "queued", "queued"]


@pytest.mark.parametrize("end", ["accepted", "canceled", "erased"])
def test_a_send_that_ended_counts_no_more(lanes: Lanes, store: Store, end: str) -> None:
    one = send(CUSTOMER, caller="tool")
    lanes.outbox.put(one)
    assert unsent(store) > 0

    match end:
        case "accepted":
            lanes.outbox.done(NUMBER, lanes.grant()[0], SendOutcome("accepted", wamid="wamid.X", meta_healthy=True))
        case "canceled":
            Schedule(lanes.outbox).cancel(one.id)
        case "erased":
            Contacts(store, (NUMBER,), retention_seconds=KEEP).forget(CUSTOMER)

    assert unsent(store) == 0


def test_a_large_send_is_not_kept_once_it_was_sent(lanes: Lanes, store: Store) -> None:
    for one in (send(id="small"), replace(send("15551230002", id="large"), body=b'{"text":"' + b"x" * 20_000 + b'"}')):
        lanes.outbox.put(one)
    for grant in lanes.grant(count=2):
        lanes.outbox.done(NUMBER, grant, SendOutcome("accepted", wamid=f"wamid.{grant.id}", meta_healthy=True))

    kept = [store.do("HEXISTS", f"{PREFIX}record:{record_id}", "body") for record_id in ("small", "large")]

    assert kept == [1, 0]


def test_two_addresses_that_turn_out_to_be_one_customer_s_share_a_day_s_bytes(lanes: Lanes, store: Store) -> None:
    lanes.admit(message(), message("", user_id="US.1349"))
    for address, bytes_ in ((CUSTOMER, 600_000), ("US.1349", 500_000)):
        store.do("SET", f"{PREFIX}received_bytes:{NUMBER}:{address}", bytes_, "EX", 3_600)
    lanes.admit(message(user_id="US.1349"))
    (key,) = store.do("KEYS", f"{PREFIX}received_bytes:*")
    assert int(store.do("GET", key)) > 1_100_000
    assert 3_000 < store.do("TTL", key) <= 86_400
