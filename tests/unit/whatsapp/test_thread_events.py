"""The events of a conversation apart from our own messages, in Meta's format."""

from __future__ import annotations

from typing import Any

import pytest

from wa_service.whatsapp.webhooks.events import Malformed, ManagementEvent, MessageStatus, ThreadEvent, parse

NUMBER, CUSTOMER = "106540352242922", "447700900123"


def events(field: str, **value: Any) -> list[object]:
    changes = [{"field": field, "value": {"metadata": {"phone_number_id": NUMBER}, **value}}]
    return list(parse({"object": "whatsapp_business_account", "entry": [{"id": "w", "changes": changes}]}))


@pytest.mark.parametrize("field", ["smb_message_echoes", "message_echoes"])
def test_an_echo_is_its_customers(field: str) -> None:
    echo = {"from": "15550783881", "to": CUSTOMER, "id": "wamid.E", "timestamp": "1750000000", "type": "text"}
    (event,) = events(field, message_echoes=[echo])
    assert event == ThreadEvent("echo", "wamid.E", NUMBER, (CUSTOMER,), 1_750_000_000, echo)


def test_standby_holds_messages_echoes_and_statuses() -> None:
    message = {"from": CUSTOMER, "id": "wamid.1", "timestamp": "1750000000", "type": "text"}
    echo = {"to_user_id": "GB.1", "id": "wamid.2", "timestamp": "1750000000", "type": "text"}
    status = {"id": "wamid.3", "status": "read", "timestamp": "1750000000", "recipient_id": CUSTOMER}
    found = events("standby", standby={"messages": [message], "message_echoes": [echo], "statuses": [status]})
    assert [type(event) for event in found] == [MessageStatus, ThreadEvent, ThreadEvent]
    assert [event.addresses for event in found if isinstance(event, ThreadEvent)] == [(CUSTOMER,), ("GB.1",)]


def test_a_standby_message_without_a_recipient_is_the_customers() -> None:
    message = {"from": CUSTOMER, "to": None, "id": "wamid.1", "timestamp": "1750000000", "type": "text"}
    (event,) = events("standby", standby={"messages": [message]})
    assert isinstance(event, ThreadEvent)
    assert event.addresses == (CUSTOMER,)


def test_a_handover_without_metadata_names_our_number() -> None:
    value = {"sender": {"phone_number": f"+{CUSTOMER}"}, "recipient": {"phone_number_id": NUMBER}, "metadata": None}
    (event,) = events("messaging_handovers", **value, type="control_taken", control_taken={})
    assert isinstance(event, ThreadEvent)
    assert (event.event, event.phone_number_id, event.addresses) == ("handover", NUMBER, (CUSTOMER,))


@pytest.mark.parametrize("echoes", [[{}], ["x"], [{"to": ""}], [{"from": "15550783881", "id": "wamid.E"}]])
def test_an_event_that_names_nobody_is_malformed(echoes: list[object]) -> None:
    (event,) = events("smb_message_echoes", message_echoes=echoes)
    assert isinstance(event, Malformed)


@pytest.mark.parametrize("value", [{}, {"standby": {}}, {"standby": None}, {"standby": {"messages": {}}}])
def test_a_standby_without_anything_in_it_is_a_management_event(value: dict[str, Any]) -> None:
    (event,) = events("standby", **value)
    assert isinstance(event, ManagementEvent)
