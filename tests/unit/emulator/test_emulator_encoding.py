"""A webhook's bytes, signature and content."""

from __future__ import annotations

import hashlib
import hmac
import json
from typing import Any

import pytest

from meta_emulator import encoding
from meta_emulator.envelopes import Update, envelope, message_update, status_update
from meta_emulator.records import Message
from tests.unit.emulator.emulated import ANA, NUMBER, OTHER_NUMBER, Emulator


def test_what_is_not_ascii_is_escaped_in_lower_case() -> None:
    assert encoding.encode({"a": "ä😮"}) == rb'{"a":"\u00e4\ud83d\ude2e"}'


def test_slashes_are_escaped() -> None:
    assert encoding.encode({"u": "https://a/b"}) == rb'{"u":"https:\/\/a\/b"}'


def test_the_other_bytes_say_the_same() -> None:
    payload = {"a": [{"x": "ä/", "y": 1}], "b": None}
    other = encoding.encode_reordered(payload)
    assert other != encoding.encode(payload)
    assert json.loads(other) == payload


def test_the_signature_is_over_these_bytes() -> None:
    body = encoding.encode({"a": "ä"})
    headers = encoding.signature_headers(body, "secret")
    assert headers["X-Hub-Signature-256"] == "sha256=" + hmac.new(b"secret", body, hashlib.sha256).hexdigest()
    assert headers["X-Hub-Signature"] == "sha1=" + hmac.new(b"secret", body, hashlib.sha1).hexdigest()


def message(meta: Emulator, **fields: Any) -> Message:
    wamid = meta.sent({"type": "text", "text": {"body": "hello"}, **fields})
    return meta.world.messages[wamid]


def status(meta: Emulator, about: Message, step: str) -> dict[str, Any]:
    world = meta.world
    update = status_update(world.behaviour, world.numbers[NUMBER], world.phones[ANA], about, step, 1_750_000_000)
    found: dict[str, Any] = update.value["statuses"][0]
    return found


def test_a_status_names_its_message_and_customer_with_a_text_time(meta: Emulator) -> None:
    about = message(meta, biz_opaque_callback_data="order=7")
    found = status(meta, about, "read")
    assert found["id"] == about.id
    assert found["timestamp"] == "1750000000"
    assert found["recipient_id"] == ANA
    assert found["biz_opaque_callback_data"] == "order=7"


def test_pricing_is_on_sent_and_on_one_of_delivered_and_read(meta: Emulator) -> None:
    about = message(meta)
    about.priced.clear()
    priced = ["pricing" in status(meta, about, step) for step in ("sent", "delivered", "read")]
    assert priced == [True, True, False]


def test_pricing_is_on_read_where_delivered_is_skipped(meta: Emulator) -> None:
    about = message(meta)
    about.priced.clear()
    assert ["pricing" in status(meta, about, step) for step in ("sent", "read")] == [True, True]


@pytest.mark.parametrize(
    ("advance", "billable", "kind"), [(0, False, "free_customer_service"), (90_000, True, "regular")]
)
def test_a_utility_template_is_free_inside_the_window(
    meta: Emulator, advance: float, billable: bool, kind: str
) -> None:
    meta.do("clock", {"advance": advance})
    template = {"name": "hello_world", "language": {"code": "en_US"}}
    about = meta.world.messages[meta.sent({"type": "template", "template": template})]
    about.priced.clear()
    pricing = status(meta, about, "sent")["pricing"]
    assert (pricing["billable"], pricing["type"], pricing["category"]) == (billable, kind, "utility")
    assert pricing["pricing_model"] == "PMP"


@pytest.mark.parametrize(("version", "there"), [("v23.0", True), ("v24.0", False)])
def test_conversation_ended_with_v24(meta: Emulator, version: str, there: bool) -> None:
    meta.do("behaviour", {"webhook_version": version})
    assert ("conversation" in status(meta, message(meta), "sent")) is there


def test_a_conversation_ends_on_sent_only(meta: Emulator) -> None:
    meta.do("behaviour", {"webhook_version": "v23.0"})
    about = message(meta)
    ends = ["expiration_timestamp" in status(meta, about, step)["conversation"] for step in ("sent", "delivered")]
    assert ends == [True, False]


def test_a_failed_status_carries_the_error_and_no_pricing(meta: Emulator) -> None:
    meta.do("faults", {"kind": "failed_status", "code": 131049})
    found = status(meta, message(meta), "failed")
    assert (found["errors"][0]["code"], "pricing" in found) == (131049, False)
    assert set(found["errors"][0]) == {"code", "title", "message", "error_data", "href"}


def inbound(meta: Emulator, **body: Any) -> dict[str, Any]:
    world = meta.world
    update = message_update(world.behaviour, world.numbers[NUMBER], world.phones[ANA], {"type": "text", **body})
    return update.value


def test_an_inbound_message_brings_its_contact(meta: Emulator) -> None:
    user_id = meta.world.phones[ANA].user_id
    assert inbound(meta)["contacts"] == [{"profile": {"name": "Ana"}, "wa_id": ANA, "user_id": user_id}]


def test_a_contact_brings_its_identity_where_it_is_checked(meta: Emulator) -> None:
    meta.control("PATCH", f"phones/{ANA}", {"identity_hash": "DF2l="})
    before = inbound(meta)["contacts"][0]
    meta.control("PATCH", f"numbers/{NUMBER}", {"identity_check": True})
    assert inbound(meta)["contacts"] == [{**before, "identity_key_hash": "DF2l="}]


@pytest.mark.parametrize("wanted", [{}, {"recipient_identity_key_hash": "DF2l="}])
def test_a_status_names_the_identity_that_the_send_required(meta: Emulator, wanted: dict[str, Any]) -> None:
    about = meta.world.messages[meta.sent({"type": "text", "text": {"body": "hello"}, **wanted})]
    for step in ("sent", "failed"):
        found = status(meta, about, step)
        assert {name: value for name, value in found.items() if "identity" in name} == wanted


def test_a_system_message_comes_without_contacts(meta: Emulator) -> None:
    assert "contacts" not in inbound(meta, type="system")


def test_a_hidden_number_leaves_only_the_user_id(meta: Emulator) -> None:
    phone = meta.do("phones", {"wa_id": ANA, "number_hidden": True, "username": "ana.l"})
    contact = inbound(meta)["contacts"][0]
    assert contact == {"profile": {"name": "Ana", "username": "ana.l"}, "user_id": phone["user_id"]}
    assert "recipient_id" not in status(meta, message(meta), "sent")


def test_user_ids_can_be_left_out_as_before_2026(meta: Emulator) -> None:
    meta.do("behaviour", {"user_ids": False})
    assert inbound(meta)["contacts"] == [{"profile": {"name": "Ana"}, "wa_id": ANA}]
    assert "recipient_user_id" not in status(meta, message(meta), "sent")


def update(number: str, part: str, item: str, **more: Any) -> Update:
    metadata = {"display_phone_number": number, "phone_number_id": number}
    value = {"messaging_product": "whatsapp", "metadata": metadata, part: [{"id": item}], **more}
    return Update("1", "messages", value, number_id=number)


def test_a_batch_of_one_number_is_one_value() -> None:
    payload = envelope([update(NUMBER, "statuses", "a"), update(NUMBER, "statuses", "b")])
    changes = payload["entry"][0]["changes"]
    assert [item["id"] for item in changes[0]["value"]["statuses"]] == ["a", "b"]
    assert len(changes) == 1


def test_a_batch_of_two_numbers_is_two_changes() -> None:
    payload = envelope([update(NUMBER, "statuses", "a"), update(OTHER_NUMBER, "statuses", "b")])
    metadata = [change["value"]["metadata"]["phone_number_id"] for change in payload["entry"][0]["changes"]]
    assert metadata == [NUMBER, OTHER_NUMBER]


def test_messages_and_statuses_do_not_share_a_value() -> None:
    payload = envelope([update(NUMBER, "messages", "a"), update(NUMBER, "statuses", "b")])
    assert len(payload["entry"][0]["changes"]) == 2


def test_a_batch_names_each_contact_once() -> None:
    contact = {"wa_id": ANA}
    payload = envelope([update(NUMBER, "messages", name, contacts=[contact]) for name in "ab"])
    assert payload["entry"][0]["changes"][0]["value"]["contacts"] == [contact]


def test_making_a_batch_leaves_its_updates_as_they_were() -> None:
    updates = [update(NUMBER, "statuses", "a"), update(NUMBER, "statuses", "b")]
    assert envelope(updates) == envelope(updates)


def test_a_management_field_has_its_time_in_the_entry() -> None:
    payload = envelope([Update("1", "account_update", {"event": "x"}, entry_time=5)])
    assert payload["entry"] == [
        {"id": "1", "changes": [{"field": "account_update", "value": {"event": "x"}}], "time": 5}
    ]
