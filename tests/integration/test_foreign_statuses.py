"""Statuses of messages that another system sent from our number: events for subscribers, erased with the person."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import orjson
import pytest
import redis

from tests.integration.lanes import KEEP, NUMBER, Lanes, message
from tests.integration.personal import traces, wamid
from tests.keys import NAMES, PREFIX
from wa_service.push.event_form import public_item
from wa_service.push.meta_form import meta_envelope
from wa_service.store.contacts import Contacts
from wa_service.store.events import Entry, Events
from wa_service.store.keys import SEEN_SECONDS
from wa_service.store.subscriptions import Delivery, Subscription, Subscriptions
from wa_service.whatsapp.webhooks.events import walk
from wa_service.whatsapp.webhooks.status import parse_status

CUSTOMER, OTHER_SPELLING, USER_ID = "5511988880000", "551188880000", "BR.42"
GROUP = "Y2FwaV9ncm91cDox"
OUR_ID = "5f0c8a1b2d3e4f505f0c8a1b2d3e4f50"
FAILED = [{"code": 131026, "title": "Message undeliverable"}]


def status(word: str, customer: str = CUSTOMER, key: str = "THEIRS", **more: Any) -> dict[str, Any]:
    """Return Meta's status of another system's message."""
    return {"id": wamid(customer, key), "status": word, "timestamp": "1700000100", "recipient_id": customer} | more


def report(lanes: Lanes, *statuses: dict[str, Any], contacts: Sequence[dict[str, Any]] = ()) -> list[bytes]:
    """Apply statuses as web takes them from one webhook."""
    value = {"metadata": {"phone_number_id": NUMBER}, "statuses": list(statuses), "contacts": list(contacts)}
    changes = [{"field": "messages", "value": value}]
    pieces = walk({"object": "whatsapp_business_account", "entry": [{"id": "waba", "changes": changes}]})
    commands = [lanes.outbox.apply_status(parse_status(piece), piece.timestamp * 1000) for piece in pieces]
    return [result[0] for result in lanes.store.run(commands)]


def events(lanes: Lanes, kind: str = "foreign_status") -> list[Entry]:
    return [entry for entry in Events(lanes.store, retention_seconds=KEEP).after("", 100) if entry.kind == kind]


def pushed(subscriptions: Subscriptions, tool: Subscription, taken: Sequence[Delivery] = ()) -> list[Delivery]:
    return subscriptions.take(tool.id, 32, taken=taken, answer="200")[2]


def names_in(delivery: Delivery) -> list[str]:
    """The statuses and messages in a delivery to a tool of Meta's form."""
    body = meta_envelope(delivery.kind, delivery.conversation, delivery.data, {}) or b"{}"
    return [piece.raw.get("status", piece.kind) for piece in walk(orjson.loads(body))]


@pytest.fixture
def subscriptions(lanes: Lanes) -> Subscriptions:
    return Subscriptions(lanes.store)


@pytest.fixture
def tool(subscriptions: Subscriptions) -> Subscription:
    """A tool such as chatwoot."""
    kinds = ["message", "status", "foreign_status"]
    return subscriptions.create("https://tool.example/", form="meta", kinds=kinds, secret="s", cursor="0-0")


@pytest.fixture
def contacts(lanes: Lanes) -> Contacts:
    return Contacts(lanes.store, [NUMBER], retention_seconds=KEEP)


@pytest.mark.parametrize("is_known", [True, False])
def test_a_tool_receives_each_status_once_in_the_order_of_the_conversation(
    lanes: Lanes, subscriptions: Subscriptions, tool: Subscription, is_known: bool
) -> None:
    if is_known:
        lanes.admit(message(OTHER_SPELLING))
    assert report(lanes, status("sent"), status("delivered"), status("sent")) == [b"foreign", b"foreign", b"duplicate"]
    assert report(lanes, status("delivered"), status("failed", errors=FAILED)) == [b"duplicate", b"foreign"]

    found, taken = [], pushed(subscriptions, tool)
    while taken:
        assert len(taken) == 1  # the next one waits for it
        found += names_in(taken[0])
        taken = pushed(subscriptions, tool, taken)

    assert found == [*(["message"] if is_known else []), "sent", "delivered", "failed"]


def test_meta_s_objects_are_unchanged(lanes: Lanes) -> None:
    raw, contact = status("delivered", pricing={"category": "service"}), {"wa_id": CUSTOMER, "profile": {"name": "Ana"}}
    report(lanes, raw, contacts=[contact])
    (entry,) = events(lanes)
    body = meta_envelope(entry.kind, entry.conversation, orjson.dumps(entry.data), {}, "waba")
    (piece,) = walk(orjson.loads(body or b"{}"))
    assert (piece.raw, piece.contact, piece.phone_number_id, piece.waba_id) == (raw, contact, NUMBER, "waba")


def test_in_our_form_it_has_what_a_status_has_and_no_id(lanes: Lanes) -> None:
    report(lanes, status("failed", errors=FAILED, pricing={"category": "service"}))
    item = public_item(events(lanes)[0])
    error = item["data"].pop("error")
    assert (item["kind"], item["phone_number_id"], item["contact"]) == ("foreign_status", NUMBER, CUSTOMER)
    assert (error["code"], error["reason"]) == (131026, "recipient")
    assert item["data"] == {
        "status": "failed",
        "time": "2023-11-14T22:15:00.000Z",
        "to": CUSTOMER,
        "wamid": wamid(CUSTOMER, "THEIRS"),
        "pricing": {"category": "service"},
    }


def test_of_a_stranger_with_number_and_user_id_it_is_in_the_conversation_that_a_message_would_begin(
    lanes: Lanes,
) -> None:
    report(lanes, status("sent", recipient_user_id=USER_ID), status("delivered"))
    lanes.admit(message(CUSTOMER, user_id=USER_ID))
    report(lanes, status("read", recipient_user_id=USER_ID))
    assert [entry.conversation for entry in events(lanes)] == [f"{NUMBER}:{CUSTOMER}"] * 3
    assert public_item(events(lanes)[0])["data"]["to"] == CUSTOMER


def test_it_makes_no_contact_thread_or_record(lanes: Lanes, redis_client: redis.Redis) -> None:
    report(lanes, status("sent"), status("delivered"))
    families = {NAMES.part_of(key)[0] for key in redis_client.scan_iter("*")}
    assert families - {"clock", "epoch"} == {"events", "seen", "foreign"}


def test_each_participant_of_a_group_counts(lanes: Lanes) -> None:
    group = {"recipient_id": GROUP, "recipient_type": "group"}
    statuses = [status("read", **group, recipient_participant_id=one) for one in (CUSTOMER, "447700900121", CUSTOMER)]
    assert report(lanes, *statuses) == [b"foreign", b"foreign", b"duplicate"]
    assert {entry.conversation for entry in events(lanes)} == {f"{NUMBER}:{GROUP}"}


def test_a_customer_known_by_user_id_alone_is_found(lanes: Lanes) -> None:
    lanes.admit(message("", user_id=USER_ID), message(CUSTOMER, user_id=USER_ID))
    report(lanes, {"id": "wamid.X", "status": "read", "recipient_user_id": USER_ID}, status("read"))
    assert [entry.conversation for entry in events(lanes)] == [f"{NUMBER}:{USER_ID}"] * 2


def test_a_number_that_is_told_with_a_known_user_id_is_that_customer_s(lanes: Lanes) -> None:
    lanes.admit(message("", user_id=USER_ID))
    report(lanes, status("sent", recipient_user_id=USER_ID), status("delivered", recipient_user_id=USER_ID))
    assert {entry.conversation for entry in events(lanes)} == {f"{NUMBER}:{USER_ID}"}


def test_the_mark_ends_after_meta_s_last_retry(lanes: Lanes, redis_client: redis.Redis) -> None:
    report(lanes, status("sent"))
    (mark,) = redis_client.scan_iter(f"{PREFIX}seen:*")
    assert 0 < redis_client.ttl(mark) <= SEEN_SECONDS


@pytest.mark.parametrize(
    "late",
    [
        status("read", biz_opaque_callback_data=OUR_ID),
        status("read", biz_opaque_callback_data=f"{OUR_ID}f"),
        {"id": "wamid.HBgL", "status": "read"},
    ],
    ids=["of our send", "of its fallback template", "without a recipient"],
)
def test_a_status_with_our_id_or_without_a_recipient_is_only_kept_aside(
    lanes: Lanes, redis_client: redis.Redis, late: dict[str, Any]
) -> None:
    assert report(lanes, late) == [b"foreign"]
    assert events(lanes) == []
    assert redis_client.llen(NAMES.foreign) == 1
    assert list(traces(redis_client, CUSTOMER)) == []


@pytest.mark.parametrize("is_known", [True, False])
@pytest.mark.parametrize("recipient", [CUSTOMER, OTHER_SPELLING])
def test_it_is_erased_with_the_person_known_or_not(
    lanes: Lanes,
    contacts: Contacts,
    subscriptions: Subscriptions,
    tool: Subscription,
    redis_client: redis.Redis,
    is_known: bool,
    recipient: str,
) -> None:
    report(lanes, status("sent", recipient))
    if is_known:
        lanes.admit(message(CUSTOMER))
    report(lanes, status("delivered", recipient), status("sent", "447700900121"))
    waiting = pushed(subscriptions, tool)
    contacts.forget(CUSTOMER)
    assert list(traces(redis_client, CUSTOMER, OTHER_SPELLING)) == []
    assert [entry.conversation for entry in events(lanes)] == [f"{NUMBER}:447700900121"]
    assert [names_in(each) for each in pushed(subscriptions, tool, waiting)] == []
