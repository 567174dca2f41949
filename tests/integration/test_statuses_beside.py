"""Statuses outside the sequence sent, delivered, read: of payments and calls, and unknown ones that Meta may add."""

from __future__ import annotations

import time
from dataclasses import replace
from typing import Any

import pytest

from tests.integration.lanes import KEEP, NUMBER, Lanes, meta_status, send
from wa_service.push.event_form import event_item
from wa_service.store.contacts import Contacts
from wa_service.store.events import Events
from wa_service.store.outbox import SendOutcome
from wa_service.store.records import Record

PAYMENT = {"reference_id": "ref-42", "currency": "INR"}


@pytest.fixture
def record_id(lanes: Lanes) -> str:
    """A send that Meta accepted."""
    lanes.outbox.put(send(id="ours", fallback=b"{}", opaque="order:12"))
    (grant,) = lanes.grant()
    lanes.outbox.done(NUMBER, grant, SendOutcome("accepted", wamid="wamid.A1"))
    return "ours"


def status(lanes: Lanes, word: str, wamid: str = "wamid.A1", **raw: Any) -> bytes:
    return lanes.store.run([lanes.outbox.apply_status(meta_status(wamid, word, **raw), int(time.time() * 1000))])[0][0]


def told(lanes: Lanes) -> list[dict[str, Any]]:
    entries = Events(lanes.store, retention_seconds=KEEP).after("", 100)
    return [event_item(entry)["data"] for entry in entries if entry.kind == "status"]


def record(lanes: Lanes, record_id: str) -> Record:
    found = lanes.records.get(record_id)
    assert found is not None
    return found


@pytest.mark.parametrize("kind", ["payment", "call"])
def test_a_payment_that_failed_does_not_fail_its_message(lanes: Lanes, record_id: str, kind: str) -> None:
    more: dict[str, Any] = {"type": kind, kind: PAYMENT, "errors": [{"code": 131047, "title": "no"}]}
    assert status(lanes, "failed", **more) == b"unranked"
    after = record(lanes, record_id)
    assert (after.status, after.error, after.replaced_by) == ("accepted", None, None)
    (event,) = told(lanes)
    assert (event["id"], event["status"], event["type"], event[kind]) == (record_id, "failed", kind, PAYMENT)
    assert event["biz_opaque_callback_data"] == "order:12"


def test_meta_s_contact_beside_a_status_is_kept_for_subscribers_in_meta_s_form(lanes: Lanes, record_id: str) -> None:
    contact = {"profile": {"name": "Ana"}, "wa_id": "15551230001"}
    lanes.store.run([lanes.outbox.apply_status(replace(meta_status("wamid.A1", "sent"), contact=contact), 1)])
    [entry] = [each for each in Events(lanes.store, retention_seconds=KEEP).after("", 100) if each.kind == "status"]
    assert (entry.data["id"], entry.data["beside"]) == (record_id, contact)
    assert "beside" not in told(lanes)[0]


def test_a_word_that_is_new_is_told_once_and_moves_nothing(lanes: Lanes, record_id: str) -> None:
    assert [status(lanes, "deleted"), status(lanes, "deleted")] == [b"unranked", b"duplicate"]
    assert [event["status"] for event in told(lanes)] == ["deleted"]
    assert record(lanes, record_id).status == "accepted"
    assert record(lanes, record_id).history[-1][0] == "other_deleted"


ATTEMPTS: list[tuple[str, dict[str, Any]]] = [
    ("pending", {"transaction": {"id": "t1", "status": "pending"}}),
    ("pending", {"transaction": {"id": "t1", "status": "failed", "error": {"code": "psp_declined"}}}),
    ("pending", {"transaction": {"id": "t2", "status": "pending"}}),
    ("captured", {"transaction": {"id": "t2", "status": "success"}}),
    ("captured", {"transaction": {"id": "t2", "status": "success"}, "refunds": [{"id": "r1", "status": "success"}]}),
]


@pytest.mark.parametrize("wamid", ["wamid.A1", "wamid.THEIRS"])
def test_each_state_of_a_payment_is_told_once(lanes: Lanes, record_id: str, wamid: str) -> None:
    for again in (False, True):
        for word, state in ATTEMPTS:
            payment = PAYMENT | state if again else state | PAYMENT
            about = replace(meta_status(wamid, word, type="payment", payment=payment), addresses=(ANA,))
            ((outcome, *_),) = lanes.store.run([lanes.outbox.apply_status(about, int(time.time() * 1000))])
            assert (outcome == b"duplicate") == again
    entries = Events(lanes.store, retention_seconds=KEEP).after("", 100)
    items = [event_item(entry)["data"] for entry in entries if entry.kind in ("status", "foreign_status")]
    assert [(item["status"], item["payment"]) for item in items] == [
        (word, PAYMENT | state) for word, state in ATTEMPTS
    ]
    assert record(lanes, record_id).status == "accepted"


@pytest.mark.parametrize("kind", [[], {}, 7, None, "message", "video"])
def test_of_any_other_type_it_is_the_message_s(lanes: Lanes, record_id: str, kind: Any) -> None:
    assert status(lanes, "read", type=kind) == b"applied"
    assert record(lanes, record_id).status == "read"


def test_a_step_of_the_ladder_after_a_payment_s_of_the_same_name_is_no_repeat(lanes: Lanes, record_id: str) -> None:
    status(lanes, "failed", type="payment")
    assert status(lanes, "failed", errors=[{"code": 131026}]) == b"applied"
    assert record(lanes, record_id).status == "failed"


def test_words_without_end_do_not_let_a_record_grow_without_end(lanes: Lanes, record_id: str) -> None:
    words = [f"{chr(97 + i % 26)}{chr(97 + i // 26)}" * 1_000 for i in range(200)]
    assert {status(lanes, word) for word in words} == {b"unranked"}
    assert len(record(lanes, record_id).history) < 64
    assert max(len(event["status"]) for event in told(lanes)) == 32


def test_a_payment_of_somebody_else_s_message_is_kept_aside(lanes: Lanes) -> None:
    assert status(lanes, "captured", "wamid.THEIRS", type="payment") == b"foreign"


ANA, BEN, CLEO = "447700900121", "447700900122", "447700900123"
UNDELIVERABLE = [{"code": 131026, "title": "Message undeliverable"}]


def of_group(lanes: Lanes, participant: str, word: str) -> bytes:
    """Apply a status of one participant of the group."""
    errors: dict[str, Any] = {"errors": UNDELIVERABLE} if word == "failed" else {}
    address = {"recipient_participant_user_id" if "." in participant else "recipient_participant_id": participant}
    return status(lanes, word, recipient_id="120363", recipient_type="group", **address, **errors)


@pytest.mark.parametrize(
    ("told_in_turn", "whole", "code"),
    [
        ([(ANA, "failed")], "accepted", None),
        ([(ANA, "failed"), (BEN, "delivered"), (BEN, "read")], "read", None),
        ([(BEN, "delivered"), (ANA, "failed")], "delivered", None),
        ([(ANA, "sent"), (BEN, "sent"), (ANA, "failed")], "sent", None),
        ([(ANA, "failed"), (BEN, "failed")], "failed", 131026),
        ([(ANA, "sent"), (BEN, "sent"), (BEN, "failed"), (ANA, "failed")], "failed", 131026),
        ([(ANA, "failed"), (BEN, "failed"), (CLEO, "sent")], "sent", None),
        ([(ANA, "failed"), (BEN, "failed"), (ANA, "delivered")], "delivered", None),
        ([(ANA, "failed"), ("US.42", "failed")], "failed", 131026),
    ],
)
def test_a_message_to_a_group_has_failed_only_where_it_failed_for_all(
    lanes: Lanes, record_id: str, told_in_turn: list[tuple[str, str]], whole: str, code: int | None
) -> None:
    assert [of_group(lanes, *one) for one in told_in_turn] == [b"applied"] * len(told_in_turn)
    after = record(lanes, record_id)
    assert (after.status, (after.error or {}).get("code")) == (whole, code)
    assert {one.address for one in after.participants} == {address for address, _ in told_in_turn}


def test_each_participant_is_told_once_and_kept(lanes: Lanes, record_id: str) -> None:
    for participant in (ANA, BEN, CLEO):
        assert [of_group(lanes, participant, "delivered") for _ in range(2)] == [b"applied", b"duplicate"]
    assert of_group(lanes, ANA, "read") == b"applied"
    assert of_group(lanes, BEN, "failed") == b"applied"
    statuses = [(event["participant"], event["status"]) for event in told(lanes)]
    assert statuses == [(who, "delivered") for who in (ANA, BEN, CLEO)] + [(ANA, "read"), (BEN, "failed")]
    kept = {one.address: (one.status, one.code) for one in record(lanes, record_id).participants}
    assert kept == {ANA: ("read", None), BEN: ("delivered", 131026), CLEO: ("delivered", None)}
    assert record(lanes, record_id).status == "read"


def test_a_word_that_is_new_is_told_once_of_each_participant(lanes: Lanes, record_id: str) -> None:
    for participant in (ANA, BEN):
        assert [of_group(lanes, participant, "deleted") for _ in range(2)] == [b"unranked", b"duplicate"]
    assert [event["participant"] for event in told(lanes)] == [ANA, BEN]
    assert record(lanes, record_id).status == "accepted"


def test_a_participant_who_is_erased_leaves_the_record(lanes: Lanes, record_id: str) -> None:
    for participant in (ANA, BEN):
        of_group(lanes, participant, "delivered")
    Contacts(lanes.store, [NUMBER], retention_seconds=KEEP).forget(ANA)
    assert [one.address for one in record(lanes, record_id).participants] == [BEN]
    assert [event["participant"] for event in told(lanes)] == [BEN]


def test_an_ordinary_status_names_no_participant(lanes: Lanes, record_id: str) -> None:
    status(lanes, "delivered", recipient_id=ANA)
    assert record(lanes, record_id).participants == ()
    assert "participant" not in told(lanes)[0]
