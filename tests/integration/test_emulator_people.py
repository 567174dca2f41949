"""Webhooks about people: changed identities, staff, other responders, groups, edited and unavailable messages."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from meta_emulator import EmulatorConfig, RunningEmulator
from tests.integration.emulated_callback import VERIFY_TOKEN, Callback
from tests.integration.emulated_meta import ANA, NUMBER, SECRET, TOKEN, Meta

BEN, NEW = "15550102030", "447700900456"


@pytest.fixture
def callback() -> Iterator[Callback]:
    with Callback() as running:
        yield running


@pytest.fixture(scope="module")
def emulator() -> Iterator[RunningEmulator]:
    with RunningEmulator(EmulatorConfig(TOKEN, SECRET, VERIFY_TOKEN, (NUMBER,), port=0)) as running:
        yield running


@pytest.fixture
def meta(emulator: RunningEmulator, callback: Callback) -> Meta:
    running = Meta(emulator.url)
    running.do("reset")
    running.do("webhooks/callback", {"url": callback.url})
    running.do("limits", {"all": False})
    return running


def values(meta: Meta, callback: Callback) -> list[tuple[str, dict[str, Any]]]:
    """Return field and value of every change delivered so far."""
    meta.settle()
    changes = [change for each in callback.deliveries for change in each.payload["entry"][0]["changes"]]
    return [(change["field"], change["value"]) for change in changes]


def user_id(meta: Meta, wa_id: str = ANA) -> str:
    return str(meta.do(f"phones/{wa_id}", method="GET")["user_id"])


def test_a_changed_number_names_the_previous_user_id_and_frees_the_old_number(meta: Meta, callback: Callback) -> None:
    meta.write("before")
    old = user_id(meta)
    phone = meta.do(f"phones/{ANA}/number", {"wa_id": NEW})
    meta.settle()
    meta.write("after", NEW)
    field, value = values(meta, callback)[1]
    message = value["messages"][0]
    assert (field, message["from"], "contacts" in value) == ("messages", ANA, False)
    assert {name: text for name, text in message["system"].items() if name != "body"} == {
        "type": "user_changed_number",
        "wa_id": NEW,
        "user_id": phone["user_id"],
        "previous_user_id": old,
    }
    assert callback.parts("messages")[-1]["from_user_id"] == phone["user_id"] != old
    assert [item["text"]["body"] for item in meta.do(f"phones/{NEW}/messages", method="GET")["messages"]] == [
        "before",
        "after",
    ]
    meta.write("somebody else", ANA)
    assert user_id(meta) not in (old, phone["user_id"])


def test_a_changed_number_can_come_without_from_and_in_the_legacy_form(meta: Meta, callback: Callback) -> None:
    meta.do(f"phones/{ANA}/number", {"wa_id": NEW, "include_from": False})
    meta.settle()  # the next webhook is about another number, so nothing else keeps their order
    meta.do(f"phones/{NEW}/number", {"wa_id": ANA, "announce": "legacy"})
    values(meta, callback)
    first, second = callback.parts("messages")
    assert "from" not in first
    assert second["system"] | {"body": ""} == {
        "type": "customer_changed_number",
        "body": "",
        "customer": NEW,
        "new_wa_id": ANA,
    }


def test_a_number_of_another_phone_is_refused(meta: Meta) -> None:
    answer = meta.session.post(f"{meta.url}/_emulator/phones/{ANA}/number", json={"wa_id": BEN}, timeout=10)
    assert (answer.status_code, answer.json()["error"]) == (409, f"{BEN} belongs to another phone")


def test_a_changed_user_id_is_a_system_message(meta: Meta, callback: Callback) -> None:
    old = user_id(meta)
    meta.do(f"phones/{ANA}/user_id", {"user_id": "GB.2", "parent_user_id": "GB.ENT.2"})
    values(meta, callback)
    system = callback.parts("messages")[0]["system"]
    assert (system["type"], system["previous_user_id"], system["user_id"]) == ("user_changed_user_id", old, "GB.2")
    assert (system["previous_parent_user_id"], system["parent_user_id"]) == ("", "GB.ENT.2")


def test_a_changed_user_id_can_be_a_field_of_its_own(meta: Meta, callback: Callback) -> None:
    old = user_id(meta)
    meta.do(f"phones/{ANA}/user_id", {"user_id": "GB.2", "announce": "user_id_update"})
    field, value = values(meta, callback)[0]
    item = value["user_id_update"][0]
    assert (field, item["wa_id"], item["user_id"]) == ("user_id_update", ANA, {"previous": old, "current": "GB.2"})


def test_staff_that_write_in_the_app_are_echoed(meta: Meta, callback: Callback) -> None:
    wamid = meta.do(f"phones/{ANA}/echo", {"type": "text", "text": {"body": "I am on it"}})["id"]
    meta.do(f"phones/{ANA}/echo", {"type": "revoke", "revoke": {"original_message_id": wamid}})
    (field, value), (_, revoke) = values(meta, callback)
    echo = value["message_echoes"][0]
    assert (field, echo["to"], echo["id"], echo["text"]) == ("smb_message_echoes", ANA, wamid, {"body": "I am on it"})
    assert revoke["message_echoes"][0]["revoke"] == {"original_message_id": wamid}
    shown = meta.do(f"phones/{ANA}/messages", method="GET")["messages"]
    assert [(item["direction"], item["revoked"]) for item in shown] == [("in", True)]


def test_another_owners_conversation_comes_as_standby(meta: Meta, callback: Callback) -> None:
    wamid = meta.send()
    values(meta, callback)
    meta.do(f"phones/{ANA}/owner", {"owner": "other"})
    meta.write("who is there?")
    meta.do(f"phones/{ANA}/read", {"message_ids": [wamid]})
    found = values(meta, callback)[2:]
    assert [field for field, _ in found] == ["messaging_handovers", "standby", "standby"]
    assert found[0][1]["type"] == "control_taken"
    assert found[1][1]["standby"]["messages"][0]["text"] == {"body": "who is there?"}
    assert found[1][1]["standby"]["contacts"][0]["wa_id"] == ANA
    assert found[2][1]["standby"]["statuses"][0]["status"] == "read"
    meta.do(f"phones/{ANA}/owner", {"owner": "us", "new_role": "primary"})
    meta.write("hello?")
    found = values(meta, callback)[5:]
    assert found[0][1]["control_passed"] == {"previous_owner_role": "ai_agent", "new_owner_role": "primary"}
    assert found[1][0] == "messages"


def test_a_service_message_takes_the_conversation_back(meta: Meta, callback: Callback) -> None:
    meta.do(f"phones/{ANA}/owner", {"owner": "other"})
    meta.send()
    assert [field for field, _ in values(meta, callback)] == ["messaging_handovers", "messages", "messages"]


def test_thread_control_passes_and_takes(meta: Meta, callback: Callback) -> None:
    body = {"messaging_product": "whatsapp", "to": ANA, "action": "pass"}
    assert meta.graph("POST", f"{NUMBER}/thread_control", json=body).json() == {"success": True}
    meta.write()
    refused = meta.graph("POST", f"{NUMBER}/thread_control", json=body)
    assert refused.json()["error"]["code"] == 2494191
    meta.graph("POST", f"{NUMBER}/thread_control", json={**body, "action": "take"})
    meta.write()
    assert [field for field, _ in values(meta, callback)] == ["standby", "messages"]


def test_history_comes_in_a_chunk_and_its_media_once_more(meta: Meta, callback: Callback) -> None:
    picture = {"type": "image", "image": {"id": "M1", "mime_type": "image/jpeg"}, "from": ANA}
    meta.do("business_app/history", {"threads": {ANA: ["hi", "hello", picture], BEN: 2}, "phase": 1, "progress": 50})
    (field, chunk), (_, media) = values(meta, callback)
    assert (field, chunk["history"][0]["metadata"]) == ("history", {"phase": 1, "chunk_order": 1, "progress": 50})
    ana, ben = chunk["history"][0]["threads"]
    assert [item["from"] for item in ana["messages"]] == [ANA, "15550783881", ANA]
    assert [item["type"] for item in ana["messages"]] == ["text", "text", "media_placeholder"]
    assert len(ben["messages"]) == 2
    assert media["messages"][0]["image"] == picture["image"]
    assert media["messages"][0]["id"] == ana["messages"][2]["id"]


def test_declined_history_is_an_error(meta: Meta, callback: Callback) -> None:
    meta.do("business_app/history", {"declined": True})
    assert values(meta, callback)[0][1]["history"][0]["errors"][0]["code"] == 2593109


def test_the_address_book_names_phones(meta: Meta, callback: Callback) -> None:
    meta.do("business_app/contacts", {"wa_ids": [ANA]})
    item = values(meta, callback)[0][1]["state_sync"][0]
    assert (item["action"], item["contact"]["full_name"], item["contact"]["phone_number"]) == ("add", "Ana", ANA)


def test_an_app_may_ask_for_the_address_book(meta: Meta, callback: Callback) -> None:
    body = {"messaging_product": "whatsapp", "sync_type": "smb_app_state_sync"}
    assert "request_id" in meta.graph("POST", f"{NUMBER}/smb_app_data", json=body).json()
    assert values(meta, callback)[0][0] == "smb_app_state_sync"


def test_an_unavailable_message_may_come_later_under_the_same_id(meta: Meta, callback: Callback) -> None:
    wamid = meta.do(f"phones/{ANA}/unavailable")["id"]
    meta.write("now you can read it", id=wamid)
    values(meta, callback)
    first, second = callback.parts("messages")
    assert (first["id"], first["type"], first["errors"][0]["code"]) == (wamid, "unsupported", 131060)
    assert (second["id"], second["text"]["body"]) == (wamid, "now you can read it")
    assert len(meta.do(f"phones/{ANA}/messages", method="GET")["messages"]) == 1


def test_a_customer_edits_and_deletes_a_message(meta: Meta, callback: Callback) -> None:
    wamid = meta.write("table for 3")
    meta.do(f"phones/{ANA}/edit", {"message_id": wamid, "text": "table for 4"})
    meta.do(f"phones/{ANA}/revoke", {"message_id": wamid})
    values(meta, callback)
    _, edit, revoke = callback.parts("messages")
    assert edit["edit"] == {
        "original_message_id": wamid,
        "message": {"type": "text", "text": {"body": "table for 4"}},
    }
    assert revoke["revoke"] == {"original_message_id": wamid}


@pytest.mark.parametrize(("action", "more"), [("edit", {"text": "x"}), ("revoke", {})])
def test_an_edit_or_a_deletion_opens_no_window(meta: Meta, action: str, more: dict[str, str]) -> None:
    wamid = meta.write()
    opened = meta.do(f"phones/{ANA}", method="GET")["windows"]
    meta.do("clock", {"advance": 60})
    meta.do(f"phones/{ANA}/{action}", {"message_id": wamid, **more})
    assert meta.do(f"phones/{ANA}", method="GET")["windows"] == opened


def test_a_group_message_has_a_status_for_each_participant(meta: Meta, callback: Callback) -> None:
    meta.do("phones", {"wa_id": BEN, "on_whatsapp": False})
    group = meta.do("groups", {"subject": "Team", "participants": [ANA, BEN]})["id"]
    sent = meta.graph(
        "POST",
        f"{NUMBER}/messages",
        json={"messaging_product": "whatsapp", "recipient_type": "group", "to": group, "text": {"body": "all"}},
    ).json()
    wamid = sent["messages"][0]["id"]
    assert sent["messages"][0]["group_id"] == group
    meta.do(f"groups/{group}/statuses", {"message_id": wamid, "wa_id": ANA, "status": "read"})
    # Webhooks of different kinds are concurrent: their order is not defined.
    assert "group_lifecycle_update" in [field for field, *_ in values(meta, callback)]
    statuses = [
        (item["recipient_participant_id"], item["status"], item["recipient_id"]) for item in callback.parts("statuses")
    ]
    assert sorted(statuses) == [
        (BEN, "failed", group),
        (ANA, "delivered", group),
        (ANA, "read", group),
        (ANA, "sent", group),
    ]
    beside = sorted(
        (value["statuses"][0]["status"], [contact["wa_id"] for contact in value.get("contacts", [])])
        for _, value in values(meta, callback)
        if "statuses" in value
    )
    assert beside == [("delivered", [ANA]), ("failed", []), ("read", [ANA]), ("sent", [ANA])]
    shown = meta.do(f"phones/{ANA}/messages", method="GET")["messages"][0]
    assert (shown["group_id"], list(shown["participants"][ANA])) == (group, ["sent", "delivered", "read"])


def test_a_participant_writes_to_the_group(meta: Meta, callback: Callback) -> None:
    group = meta.do("groups", {"participants": [ANA]})["id"]
    meta.write("hi all", group_id=group)
    values(meta, callback)
    message = callback.parts("messages")[0]
    assert (message["group_id"], message["from"]) == (group, ANA)


def test_an_unknown_group_is_131041(meta: Meta) -> None:
    body = {"messaging_product": "whatsapp", "recipient_type": "group", "to": "1", "text": {"body": "x"}}
    assert meta.graph("POST", f"{NUMBER}/messages", json=body).json()["error"]["code"] == 131041
