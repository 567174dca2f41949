"""Staff write in the app, or another application controls the thread: the bot pauses, and events report all of it."""

from __future__ import annotations

import time
from typing import Any

import pytest

from tests.integration.lanes import KEEP, NUMBER, Lanes, message, send
from tests.keys import NAMES
from wa_service.push.event_form import event_item
from wa_service.store.client import Store
from wa_service.store.contacts import Contacts
from wa_service.store.events import Events
from wa_service.store.inbox import Inbox, Pause, Work
from wa_service.store.outbox import SendOutcome
from wa_service.whatsapp.webhooks.events import Piece, walk
from wa_service.whatsapp.webhooks.status import parse_status

CUSTOMER = "447700900123"
PAUSE = 1_800


@pytest.fixture
def lanes(store: Store) -> Lanes:
    lanes = Lanes.over(store)
    lanes.inbox = Inbox(store, retention_seconds=KEEP, staff_pause=PAUSE)
    return lanes


@pytest.fixture
def contacts(store: Store) -> Contacts:
    return Contacts(store, [NUMBER])


def pieces(field: str, **value: Any) -> list[Piece]:
    whole = {"metadata": {"phone_number_id": NUMBER}, **value}
    changes = [{"field": field, "value": whole}]
    return list(walk({"object": "whatsapp_business_account", "entry": [{"id": "w", "changes": changes}]}))


def now() -> str:
    return str(int(time.time()))


def echo(message_id: str = "wamid.E1", **more: Any) -> list[Piece]:
    one = {"from": "15550783881", "to": CUSTOMER, "id": message_id, "timestamp": now(), "type": "text", **more}
    return pieces("smb_message_echoes", message_echoes=[{"text": {"body": "I will check for you"}, **one}])


def standby(**nested: Any) -> list[Piece]:
    return pieces("standby", standby=nested)


def handover(type_: str, at: str = "") -> list[Piece]:
    roles = {"previous_owner_role": "ai_agent", "new_owner_role": "escalation"}
    given = {"type": type_, type_: roles, "timestamp": at or now(), "sender": {"phone_number": CUSTOMER}}
    return pieces("messaging_handovers", recipient={"phone_number_id": NUMBER}, **given)


def tell(lanes: Lanes, found: list[Piece]) -> list[bytes]:
    return lanes.store.run([lanes.inbox.tell_thread_event(piece, int(time.time() * 1000)) for piece in found])


def take(lanes: Lanes) -> Work:
    (work,) = lanes.inbox.take("p", time.monotonic_ns(), 1)[1]
    return work


def waits(lanes: Lanes) -> int:
    return int(lanes.store.do("LLEN", NAMES.lane(f"{NUMBER}:{CUSTOMER}")))


def kinds(lanes: Lanes) -> list[tuple[str, str | None]]:
    items = [event_item(entry) for entry in Events(lanes.store, retention_seconds=KEEP).after("", 100)]
    return [(item["kind"], item["contact"]) for item in items]


@pytest.mark.parametrize(
    "more", [{}, {"type": "image", "image": {"id": "1"}}, {"type": "revoke"}, {"to": None, "to_user_id": "GB.1"}]
)
def test_an_echo_is_an_event_of_its_conversation_and_nothing_else(
    lanes: Lanes, contacts: Contacts, more: dict[str, Any]
) -> None:
    lanes.admit(message(CUSTOMER, user_id="GB.1", timestamp=int(time.time()) - 100))
    lanes.inbox.finish(take(lanes), "p", [])
    (before,) = contacts.find(CUSTOMER)
    assert tell(lanes, echo(**more)) == [b"kept"]
    assert tell(lanes, echo(**more)) == [b"duplicate"]
    assert kinds(lanes) == [("message", CUSTOMER), ("echo", CUSTOMER)]
    assert lanes.inbox.take("p", 1, 1)[1] == []
    (after,) = contacts.find(CUSTOMER)
    assert after.window_end == before.window_end
    assert after.paused_until is not None
    assert after.paused_until / 1000 == pytest.approx(time.time() + PAUSE, abs=5)


def test_an_answer_in_the_making_is_dropped_when_a_person_answers(lanes: Lanes) -> None:
    lanes.admit(message(CUSTOMER))
    work = take(lanes)
    tell(lanes, echo())
    assert lanes.inbox.finish(work, "p", [send(CUSTOMER, origin="m@1")])
    assert waits(lanes) == 0


@pytest.mark.parametrize("pause", [Pause(0, "responder"), Pause(60, "responder"), Pause(60, "handover", "upset")])
def test_an_answer_in_the_making_does_not_shorten_the_pause_of_a_person(
    lanes: Lanes, contacts: Contacts, pause: Pause
) -> None:
    lanes.admit(message(CUSTOMER))
    work = take(lanes)
    tell(lanes, echo())
    (before,) = contacts.find(CUSTOMER)
    lanes.inbox.finish(work, "p", [], pause=pause)
    (after,) = contacts.find(CUSTOMER)
    assert after.paused_until == before.paused_until
    told = [event_item(entry) for entry in Events(lanes.store, retention_seconds=KEEP).after("", 100)]
    ends = [item["data"]["until"] * 1000 for item in told if item["kind"] == "pause"]
    assert ends == ([pytest.approx(before.paused_until, abs=1_000)] if pause.seconds else [])


def test_an_answer_that_waits_is_withdrawn_and_what_a_caller_sent_is_not(lanes: Lanes) -> None:
    lanes.admit(message(CUSTOMER))
    lanes.inbox.finish(take(lanes), "p", [send(CUSTOMER, id="answer", origin="m@1")])
    lanes.outbox.put(send(CUSTOMER, id="callers"))
    tell(lanes, echo())
    answer, callers = lanes.records.get("answer"), lanes.records.get("callers")
    assert answer is not None
    assert callers is not None
    assert (answer.status, (answer.error or {})["reason"], callers.status) == ("failed", "withdrawn", "queued")
    assert [grant.id for grant in lanes.grant(count=2)] == ["callers"]


def test_an_answer_that_is_on_its_way_stays(lanes: Lanes) -> None:
    lanes.admit(message(CUSTOMER))
    lanes.inbox.finish(take(lanes), "p", [send(CUSTOMER, id="answer", origin="m@1")])
    (grant,) = lanes.grant()
    tell(lanes, echo())
    lanes.outbox.done(NUMBER, grant, SendOutcome("accepted", wamid="wamid.A"))
    record = lanes.records.get("answer")
    assert record is not None
    assert record.status == "accepted"


def test_the_echo_of_a_send_of_ours_does_nothing(lanes: Lanes, contacts: Contacts) -> None:
    lanes.outbox.put(send(CUSTOMER))
    (grant,) = lanes.grant()
    lanes.outbox.done(NUMBER, grant, SendOutcome("accepted", wamid="wamid.OURS"))
    assert tell(lanes, echo("wamid.OURS")) == [b"ours"]
    assert contacts.find(CUSTOMER)[0].paused_until is None


def test_a_person_takes_over_by_hand_and_gives_back(lanes: Lanes, contacts: Contacts) -> None:
    lanes.admit(message(CUSTOMER))
    until = contacts.pause(CUSTOMER, 60)
    assert until is not None
    assert until / 1000 == pytest.approx(time.time() + 60, abs=5)
    assert "paused_until" in take(lanes).contact
    assert contacts.pause(CUSTOMER, 0) == 0
    assert contacts.find(CUSTOMER)[0].paused_until is None
    assert contacts.pause("15559990000", 60) is None


def test_a_status_under_standby_moves_our_record(lanes: Lanes) -> None:
    lanes.outbox.put(send(CUSTOMER, id="a"))
    (grant,) = lanes.grant()
    lanes.outbox.done(NUMBER, grant, SendOutcome("accepted", wamid="wamid.S1"))
    status = {"id": "wamid.S1", "status": "delivered", "timestamp": now(), "recipient_id": CUSTOMER}
    (piece,) = standby(statuses=[status])
    assert (piece.kind, piece.field) == ("status", "standby")
    lanes.store.run([lanes.outbox.apply_status(parse_status(piece), 1)])
    record = lanes.records.get("a")
    assert record is not None
    assert record.status == "delivered"


def test_a_message_under_standby_is_told_and_the_same_later_as_ours_is_handled(
    lanes: Lanes, contacts: Contacts
) -> None:
    one = {"from": CUSTOMER, "id": "wamid.SB1", "timestamp": now(), "type": "text", "text": {"body": "hi"}}
    contact = {"profile": {"name": "Ana"}, "wa_id": CUSTOMER}
    assert tell(lanes, standby(contacts=[contact], messages=[one])) == [b"kept"]
    assert lanes.inbox.take("p", 1, 1)[1] == []
    (known,) = contacts.find(CUSTOMER)
    assert (known.name, known.window_end, known.owner(int(time.time() * 1000))) == ("Ana", None, "other")
    assert lanes.admit(*pieces("messages", messages=[one])) == [b"new"]
    assert take(lanes).stored.piece.raw["text"]["body"] == "hi"
    assert contacts.find(CUSTOMER)[0].owner(int(time.time() * 1000)) == "us"
    assert kinds(lanes) == [("standby", CUSTOMER), ("message", CUSTOMER)]


@pytest.mark.parametrize("nested", [{}, None, [], "x"])
def test_an_empty_standby_is_kept_aside(nested: object) -> None:
    assert [piece.kind for piece in pieces("standby", standby=nested)] == ["management"]


def test_a_text_into_a_thread_of_another_is_refused_unless_it_takes_it(lanes: Lanes) -> None:
    tell(lanes, handover("control_taken"))
    assert lanes.outbox.put(send(CUSTOMER)).outcome == "not_owner"
    assert lanes.outbox.put(send(CUSTOMER, type="template"), opens=True).outcome == "queued"
    assert lanes.outbox.put(send(CUSTOMER, take=True)).outcome == "queued"
    tell(lanes, handover("control_passed"))
    assert lanes.outbox.put(send(CUSTOMER)).outcome == "queued"


def test_an_answer_into_a_thread_that_was_taken_meanwhile_is_dropped(lanes: Lanes) -> None:
    lanes.admit(message(CUSTOMER))
    work = take(lanes)
    tell(lanes, handover("control_taken"))
    lanes.inbox.finish(work, "p", [send(CUSTOMER, origin="m@1")])
    assert waits(lanes) == 0


def test_a_thread_in_which_nobody_writes_for_a_day_is_nobodys(lanes: Lanes, contacts: Contacts) -> None:
    tell(lanes, handover("control_taken"))
    (known,) = contacts.find(CUSTOMER)
    tomorrow = int(time.time() * 1000) + 86_500_000
    assert known.owner(tomorrow) == "idle"


def test_a_handover_that_comes_again_or_late_gives_nothing_back(lanes: Lanes, contacts: Contacts) -> None:
    began = int(time.time())
    passed, taken = handover("control_passed", str(began - 20)), handover("control_taken", str(began - 10))
    assert tell(lanes, passed) + tell(lanes, taken) == [b"kept", b"kept"]
    assert tell(lanes, passed) == [b"duplicate"]
    tell(lanes, handover("control_passed", str(began - 15)))
    lanes.admit(message(CUSTOMER, timestamp=began - 30))
    assert contacts.find(CUSTOMER)[0].owner(began * 1000) == "other"
    lanes.admit(message(CUSTOMER, timestamp=began))
    assert contacts.find(CUSTOMER)[0].owner(began * 1000) == "us"


def test_a_handover_from_the_future_does_not_outlast_those_that_follow(lanes: Lanes, contacts: Contacts) -> None:
    began = int(time.time())
    tell(lanes, handover("control_taken", str(began + 86_400)))
    tell(lanes, handover("control_passed", str(began + 3_600)))
    assert contacts.find(CUSTOMER)[0].other_until is None


def test_a_group_has_no_name_of_a_member_who_writes_under_standby(lanes: Lanes, contacts: Contacts) -> None:
    one = {"from": CUSTOMER, "id": "wamid.SB2", "timestamp": now(), "type": "text", "text": {"body": "hi"}}
    contact = {"profile": {"name": "Ana"}, "wa_id": CUSTOMER}
    assert tell(lanes, standby(contacts=[contact], messages=[one | {"group_id": "Y2FwaV9ncm91cDo0Mg=="}])) == [b"kept"]
    (group,) = contacts.find("Y2FwaV9ncm91cDo0Mg==")
    assert group.name is None
