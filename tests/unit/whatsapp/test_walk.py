"""Splitting a delivery: every event is found, with the addresses it concerns, even beside malformed data."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import orjson
import pytest

from tests.hostile_shapes import measured
from wa_service.whatsapp.webhooks.envelope import message_addresses
from wa_service.whatsapp.webhooks.events import Piece, is_delivery, walk
from wa_service.whatsapp.webhooks.identity import Identity, identity_of_recipient
from wa_service.whatsapp.webhooks.status import parse_status


def only(delivery: Any) -> Piece:
    (piece,) = walk(delivery)
    return piece


def value_of(delivery: Any) -> dict[str, Any]:
    return delivery["entry"][0]["changes"][0]["value"]


@pytest.mark.parametrize(
    "obj", [None, 1, "x", [], {}, {"object": "page", "entry": []}, {"object": "whatsapp_business_account"}]
)
def test_what_is_no_delivery_of_ours(obj: Any) -> None:
    assert not is_delivery(obj)


def test_a_delivery_is_known_by_its_object_and_entries(inbound: Callable[[str], Any]) -> None:
    assert is_delivery(inbound("text"))


def test_a_message_carries_who_when_and_where(inbound: Callable[[str], Any]) -> None:
    piece = only(inbound("text"))
    assert (piece.kind, piece.field, piece.id) == ("message", "messages", "wamid.HBgMMzUxOTEyMzQ1MDAxFQIAEhg0001A==")
    assert (piece.waba_id, piece.phone_number_id) == ("102210000000042", "106510000000042")
    assert (piece.timestamp, piece.addresses) == (1790000001, ("351912345001",))
    assert piece.contact == {"profile": {"name": "Ana Lima"}, "wa_id": "351912345001"}


def test_the_raw_message_is_metas_own_object(inbound: Callable[[str], Any]) -> None:
    delivery = inbound("image")
    assert only(delivery).raw is value_of(delivery)["messages"][0]


ADDRESSES = {
    "text_from_user_id": ("PT.900000000000042", "PT.ENT.800000000000042"),
    "text_without_contacts": ("PT.900000000000043",),
    "text_other_wa_id": ("5511988887777", "551188887777"),
    "text_in_group": ("Y2FwaV9ncm91cDo0Mg==",),
    "system_changed_number": ("351912345001", "351912345099"),
    "system_changed_number_legacy": ("351912345001", "351912345098"),
    "system_identity_changed": ("351912345001",),
    "system_changed_user_id": ("351912345001", "PT.900000000000042", "PT.900000000000077", "PT.ENT.800000000000077"),
    "status_sent": ("351912345001",),
    "status_to_user_id": ("PT.900000000000042", "PT.ENT.800000000000042"),
    "status_in_group": ("Y2FwaV9ncm91cDo0Mg==",),
    "user_action": ("351912345001",),
}


@pytest.mark.parametrize("name", ADDRESSES)
def test_the_addresses_come_best_known_first(inbound: Callable[[str], Any], name: str) -> None:
    assert only(inbound(name)).addresses == ADDRESSES[name]


def test_the_contact_of_a_sender_is_found_among_several(inbound: Callable[[str], Any]) -> None:
    delivery = inbound("text")
    value_of(delivery)["contacts"].insert(0, {"profile": {"name": "Rui"}, "wa_id": "351910000042"})
    assert only(delivery).contact["profile"]["name"] == "Ana Lima"


def test_a_stranger_s_contact_is_not_taken_for_the_sender_s(inbound: Callable[[str], Any]) -> None:
    delivery = inbound("text")
    value_of(delivery)["contacts"] = [{"wa_id": "351910000042"}, {"wa_id": "351910000043"}]
    assert only(delivery).addresses == ("351912345001",)


def test_a_message_without_id_is_malformed(inbound: Callable[[str], Any]) -> None:
    delivery = inbound("text")
    del value_of(delivery)["messages"][0]["id"]
    piece = only(delivery)
    assert (piece.kind, piece.reason) == ("malformed", "the message has no id")


def test_a_message_without_any_address_is_malformed(inbound: Callable[[str], Any]) -> None:
    delivery = inbound("text")
    del value_of(delivery)["messages"][0]["from"]
    del value_of(delivery)["contacts"]
    piece = only(delivery)
    assert (piece.kind, piece.reason) == ("malformed", "the message has no sender")


@pytest.mark.parametrize("missing", ["id", "status"])
def test_a_status_without_id_or_status_is_malformed(inbound: Callable[[str], Any], missing: Any) -> None:
    delivery = inbound("status_sent")
    del value_of(delivery)["statuses"][0][missing]
    assert only(delivery).kind == "malformed"


def test_a_value_with_nothing_that_we_know_is_told_as_it_is(inbound: Callable[[str], Any]) -> None:
    delivery = inbound("text")
    del value_of(delivery)["messages"]
    piece = only(delivery)
    assert (piece.kind, piece.label, piece.raw) == ("management", "other", value_of(delivery))


def test_an_error_beside_a_message_is_an_event_of_its_own(inbound: Callable[[str], Any]) -> None:
    assert [piece.kind for piece in walk(inbound("interactive_without_content"))] == ["message", "error"]


def test_every_entry_change_message_and_status_comes_in_its_order(inbound: Callable[[str], Any]) -> None:
    first, second = inbound("text"), inbound("status_sent")
    value_of(first)["messages"].append(value_of(inbound("image"))["messages"][0])
    first["entry"][0]["changes"].append(inbound("capability")["entry"][0]["changes"][0])
    first["entry"] += second["entry"]
    assert [piece.label for piece in walk(first)] == ["text", "image", "business_capability_update", "status"]


def test_a_management_event_carries_the_entry_s_time(inbound: Callable[[str], Any]) -> None:
    piece = only(inbound("template_status"))
    assert (piece.kind, piece.field, piece.timestamp) == ("management", "message_template_status_update", 1790002000)


@pytest.mark.parametrize(
    ("name", "label"),
    [
        ("text", "text"),
        ("unknown_type", "unsupported"),
        ("status_read", "status"),
        ("errors", "error"),
        ("user_action", "user_action"),
        ("capability", "business_capability_update"),
        ("unknown_field", "other"),
    ],
)
def test_the_label_for_counting_is_bounded(inbound: Callable[[str], Any], name: str, label: Any) -> None:
    assert only(inbound(name)).label == label


@pytest.mark.parametrize("value", ["1790000001", 1790000001])
def test_a_timestamp_may_be_a_text_or_a_number(inbound: Callable[[str], Any], value: Any) -> None:
    delivery = inbound("text")
    value_of(delivery)["messages"][0]["timestamp"] = value
    assert only(delivery).timestamp == 1790000001


@pytest.mark.parametrize("value", [None, "", "soon", "-1", -1, 1.5, True, [], "9" * 30, "\u0661"])
def test_a_senseless_timestamp_is_unknown(inbound: Callable[[str], Any], value: Any) -> None:
    delivery = inbound("text")
    value_of(delivery)["messages"][0]["timestamp"] = value
    assert only(delivery).timestamp == 0


@pytest.mark.parametrize("junk", [None, 7, "text", [], [[]], {"id": 1}])
@pytest.mark.parametrize("name", ["messages", "statuses", "errors", "user_actions"])
def test_junk_in_a_list_leaves_its_sibling_unharmed(inbound: Callable[[str], Any], name: str, junk: Any) -> None:
    sample = {"messages": "text", "statuses": "status_sent", "errors": "errors", "user_actions": "user_action"}[name]
    delivery = inbound(sample)
    good = next(iter(walk(delivery))).kind
    value_of(delivery)[name].insert(0, junk)
    assert good in [piece.kind for piece in walk(delivery)][1:]


@pytest.mark.parametrize("name", ["messages", "statuses", "errors", "user_actions"])
def test_a_list_that_is_none_leaves_the_others_unharmed(inbound: Callable[[str], Any], name: str) -> None:
    other = "status_sent" if name != "statuses" else "text"
    delivery = inbound(other)
    value_of(delivery)[name] = "no list"
    kinds = {piece.kind for piece in walk(delivery)}
    assert kinds == {"malformed", only(inbound(other)).kind}


def test_a_piece_survives_being_stored(inbound: Callable[[str], Any]) -> None:
    piece = only(inbound("text_from_user_id"))
    assert Piece.restore(orjson.loads(orjson.dumps(piece))) == piece


@pytest.mark.parametrize("value", [1790001000, "1790001000", 1790001000123, "1790001000123"])
def test_a_time_may_be_in_seconds_or_milliseconds(inbound: Callable[[str], Any], value: Any) -> None:
    delivery = inbound("text")
    value_of(delivery)["messages"][0]["timestamp"] = value
    assert only(delivery).timestamp == 1790001000


def test_a_list_of_one_may_be_the_object_itself(inbound: Callable[[str], Any]) -> None:
    delivery, plain = inbound("text"), only(inbound("text"))
    value = value_of(delivery)
    value["contacts"], value["messages"] = value["contacts"][0], value["messages"][0]
    assert only(delivery) == plain


def test_an_address_may_be_an_integer_or_have_its_plus(inbound: Callable[[str], Any]) -> None:
    delivery, plain = inbound("text"), only(inbound("text"))
    message = value_of(delivery)["messages"][0]
    number = message["from"]
    message["from"], value_of(delivery)["contacts"][0]["wa_id"] = int(number), f"+{number}"
    assert only(delivery).addresses == plain.addresses


def test_a_changed_number_may_be_an_integer() -> None:
    system = {"type": "user_changed_number", "new_wa_id": 447700900456, "body": "Ana changed"}
    message = {"from": "447700900123", "id": "wamid.N1", "timestamp": "1790001000", "type": "system", "system": system}
    assert message_addresses(message, None) == ("447700900123", "447700900456")


P, Q = "447700900101", "447700900202"


def in_value(field: str = "messages", **value: Any) -> list[Piece]:
    """Return the pieces of one value of a number."""
    metadata = {"phone_number_id": "106510000000042", "display_phone_number": "15550001111"}
    changes = [{"field": field, "value": {"messaging_product": "whatsapp", "metadata": metadata} | value}]
    return list(walk({"object": "whatsapp_business_account", "entry": [{"id": "w", "time": 7, "changes": changes}]}))


def a_text(sender: str, id_: str = "wamid.1") -> dict[str, Any]:
    return {"from": sender, "id": id_, "timestamp": "1790000001", "type": "text", "text": {"body": "hi"}}


@pytest.mark.parametrize("type_", ["text", "system"])
def test_the_contact_of_a_status_is_not_that_of_the_message_beside_it(type_: str) -> None:
    status = {"id": "wamid.2", "status": "read", "recipient_id": Q}
    message = a_text(P) | {"type": type_, "system": {"type": "customer_identity_changed"}}
    found = in_value(messages=[message], statuses=[status], contacts=[{"wa_id": Q, "user_id": "FR.Q1"}])
    assert [(piece.kind, piece.addresses) for piece in found] == [("message", (P,)), ("status", (Q, "FR.Q1"))]


def test_an_error_beside_a_message_leaves_it_its_contact() -> None:
    found = in_value(messages=[a_text(P)], errors=[{"code": 131000}], contacts=[{"wa_id": Q}])
    assert found[0].addresses == (P, Q)


def test_contacts_of_several_messages_are_found_in_any_spelling() -> None:
    short, long = "551187654321", "5511987654321"
    found = in_value(
        messages=[a_text(short), a_text(short, "wamid.2"), a_text(P, "wamid.3")],
        contacts=[{"wa_id": P, "user_id": "GB.1"}, {"wa_id": long, "user_id": "BR.1"}],
    )
    assert [piece.addresses for piece in found] == [(short, long, "BR.1")] * 2 + [(P, "GB.1")]


def test_the_contacts_of_several_actions_are_kept() -> None:
    contacts, actions = [{"wa_id": P}, {"wa_id": Q}], [{"action_type": "a"}, {"action_type": "b"}]
    found = in_value(user_actions=actions, contacts=contacts)
    assert [piece.kind for piece in found] == ["user_action", "user_action", "management"]
    assert found[2].raw["contacts"] == contacts
    assert [piece.contact for piece in in_value(user_actions=actions, contacts=contacts[:1])] == contacts[:1] * 2


@pytest.mark.usefixtures("frozen_heap")
def test_the_contacts_of_a_large_delivery_are_found_without_blocking_the_loop() -> None:
    people = [str(447_700_000_000 + n) for n in range(2_000)]
    contacts = [{"wa_id": number, "user_id": f"GB.{number}"} for number in reversed(people)]
    statuses = [{"id": "wamid.1", "status": "sent", "recipient_id": number} for number in people]
    found = measured(lambda: in_value(statuses=statuses, contacts=contacts))
    assert [piece.addresses for piece in found] == [(number, f"GB.{number}") for number in people]


@pytest.mark.parametrize("nested", [{}, {"statuses": []}])
def test_contacts_of_several_standby_messages_are_found_too(nested: dict[str, Any]) -> None:
    inside = {"messages": [a_text(P), a_text(Q, "wamid.2")], "contacts": [{"wa_id": Q, "user_id": "FR.Q1"}], **nested}
    assert [piece.addresses for piece in in_value("standby", standby=inside)] == [(P,), (Q, "FR.Q1")]


def test_ids_may_be_integers() -> None:
    changes = [
        {"field": "messages", "value": {"metadata": {"phone_number_id": 42}, "messages": [a_text(P) | {"id": 8}]}}
    ]
    (piece,) = walk({"object": "whatsapp_business_account", "entry": [{"id": 9, "changes": changes}]})
    assert (piece.kind, piece.waba_id, piece.phone_number_id, piece.id) == ("message", "9", "42", "8")


def test_a_null_is_no_list() -> None:
    assert [piece.kind for piece in in_value(messages=[a_text(P)], statuses=None, errors=None)] == ["message"]


@pytest.mark.parametrize("messages", [[], [a_text(P)]])
def test_what_is_new_in_a_value_is_passed_on(messages: list[Any]) -> None:
    *known, rest = in_value(messages=messages, group_invites=[{"id": "g"}])
    assert len(known) == len(messages)
    assert (rest.kind, rest.raw["group_invites"], "messages" in rest.raw) == ("management", [{"id": "g"}], False)


def test_what_stands_beside_messages_under_standby_is_kept() -> None:
    inside = {"messages": [a_text(P)], "errors": [{"code": 131000}], "votes": [1]}
    found = in_value("standby", standby=inside, owner="bot")
    assert [piece.kind for piece in found] == ["error", "management", "standby"]
    assert (found[1].raw["votes"], found[1].raw["owner"], "standby" in found[1].raw) == ([1], "bot", False)


@pytest.mark.parametrize("field", ["smb_message_echoes", "message_echoes"])
def test_what_stands_beside_echoes_is_kept(field: str) -> None:
    echo = {"from": "15550001111", "to": P, "id": "wamid.E", "type": "text"}
    found = in_value(field, message_echoes=[echo], errors=[{"code": 131000}], messages=[a_text(Q)], votes=[1])
    assert [piece.kind for piece in found] == ["message", "error", "management", "echo"]
    assert [piece.addresses for piece in found] == [(Q,), (), (), (P,)]
    assert (found[2].raw["votes"], "message_echoes" in found[2].raw) == ([1], False)


def test_the_contact_of_an_echo_is_its_recipient_s() -> None:
    contacts = [{"wa_id": "15550001111", "profile": {"name": "We"}}, {"wa_id": P, "profile": {"name": "Ana"}}]
    by_id = [{"user_id": "GB.7", "profile": {"name": "Bo"}}]
    echoes: list[dict[str, Any]] = [{"to": P, "id": "wamid.1"}, {"to_user_id": "GB.7", "id": "wamid.2"}]
    sent_by_us = [echo | {"from": "15550001111", "type": "text"} for echo in echoes]
    found = in_value("smb_message_echoes", message_echoes=sent_by_us, contacts=contacts + by_id)
    assert [(piece.contact or {}).get("profile") for piece in found] == [{"name": "Ana"}, {"name": "Bo"}]


def test_a_group_may_be_named_beside_its_participant() -> None:
    (piece,) = in_value(statuses=[{"id": "wamid.1", "status": "sent", "recipient_id": P, "group_id": "Y2FwaQ=="}])
    assert piece.addresses == ("Y2FwaQ==",)
    assert parse_status(piece).participant == P


@pytest.mark.parametrize("participant", [{"recipient_participant_id": P}, {"recipient_participant_user_id": "GB.1"}])
def test_a_status_with_a_participant_is_its_group_s_whatever_else_is_missing(participant: dict[str, str]) -> None:
    status = {"id": "wamid.1", "status": "sent", "recipient_id": "Y2FwaQ==", **participant}
    (piece,) = in_value(statuses=[status], contacts=[{"wa_id": P, "user_id": "GB.1"}])
    assert piece.addresses == ("Y2FwaQ==",)
    assert (identity_of_recipient(piece.raw, piece.contact), parse_status(piece).participant) == (
        Identity(),
        *participant.values(),
    )


def test_statuses_of_several_participants_keep_the_contact_of_each() -> None:
    group = {"status": "read", "recipient_id": "Y2FwaQ==", "recipient_type": "group"}
    contacts = [{"profile": {"name": "Ana"}, "wa_id": P}, {"profile": {"name": "Bo"}, "user_id": "GB.7"}]
    participants = [{"recipient_participant_user_id": "GB.7"}, {"recipient_participant_id": P}]
    found = in_value(statuses=[{"id": "wamid.1", **group, **one} for one in participants], contacts=contacts)
    assert [(piece.contact or {}).get("profile") for piece in found] == [{"name": "Bo"}, {"name": "Ana"}]
    assert {piece.addresses for piece in found} == {("Y2FwaQ==",)}


class TestHistory:
    def test_an_empty_thread_s_progress_is_kept(self) -> None:
        chunk = {"metadata": {"phase": 2, "progress": 100}, "threads": [{"id": P, "messages": []}]}
        (piece,) = in_value("history", history=[chunk])
        assert (piece.kind, piece.raw["history"]) == ("management", [chunk])

    def test_single_objects_are_read_as_lists(self) -> None:
        chunk = {"metadata": {"phase": 1}, "threads": {"id": P, "messages": a_text(P)}}
        (piece,) = in_value("history", history=chunk)
        assert (piece.kind, piece.raw["messages"]) == ("history", [a_text(P)])

    def test_what_stands_beside_a_thread_is_kept(self) -> None:
        good = {"id": P, "messages": [a_text(P)]}
        chunk = {"metadata": {"phase": 1}, "threads": [good, "x"], "errors": [{"code": 1}]}
        thread, rest = in_value("history", history=[chunk], errors=[{"code": 2}])
        assert (thread.kind, rest.kind) == ("history", "management")
        assert rest.raw["history"] == [{"metadata": {"phase": 1}, "errors": [{"code": 1}], "threads": ["x"]}]
        assert rest.raw["errors"] == [{"code": 2}]

    def test_what_stands_in_a_thread_beside_its_messages_is_kept(self) -> None:
        about = {"context": {"user_id": "GB.1", "username": "@ana"}}
        threads = [{"id": P, "messages": [a_text(P)]} | about, {"id": Q, "messages": [a_text(Q)]}]
        *_, rest = in_value("history", history=[{"metadata": {"phase": 1}, "threads": threads}])
        assert (rest.kind, rest.raw["history"]) == (
            "management",
            [{"metadata": {"phase": 1}, "threads": [{"id": P} | about]}],
        )

    @pytest.mark.parametrize(
        "messages",
        [
            [{"from_user_id": "GB.1"}, {"from": "15550001111"}],
            [{"from": "15550001111"}, {"from": "15550001111", "to_user_id": "GB.1"}],
            ["x", {"from_user_id": "GB.1", "to": "15550001111"}],
        ],
    )
    def test_a_thread_without_an_id_is_that_of_its_messages(self, messages: list[Any]) -> None:
        (piece,) = in_value("history", history=[{"metadata": {"phase": 1}, "threads": [{"messages": messages}]}])
        assert (piece.raw["thread"], piece.addresses) == ("GB.1", ("GB.1",))

    @pytest.mark.parametrize(
        ("from_", "thread"),
        [
            ({"from": "15550001111", "to": P}, P),
            ({"from": P, "to": "15550001111"}, P),
            ({"from_user_id": "GB.1"}, "GB.1"),
        ],
    )
    def test_media_belong_to_the_customer_s_thread(self, from_: dict[str, str], thread: str) -> None:
        message = {"id": "wamid.1", "type": "image", "image": {"id": "1"}} | from_
        (piece,) = in_value("history", messages=[message])
        assert (piece.raw["thread"], piece.addresses) == (thread, (thread,))
