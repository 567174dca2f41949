"""Parsing events: each type of the reference has a class with its fields, and unknown types have one, too."""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import orjson
import pytest

from wa_service.whatsapp.errors import WhatsAppMediaError, WhatsAppRateLimitError, WhatsAppRecipientError
from wa_service.whatsapp.webhooks import events
from wa_service.whatsapp.webhooks.events import Malformed, OrderItem, Unsupported, parse


def read(delivery: Any) -> Any:
    (event,) = parse(delivery)
    return event


def message_of(delivery: Any) -> dict[str, Any]:
    return delivery["entry"][0]["changes"][0]["value"]["messages"][0]


CLASSES = {
    "text": "Text",
    "text_reply": "Text",
    "text_forwarded": "Text",
    "text_often_forwarded": "Text",
    "text_about_product": "Text",
    "text_from_ad": "Text",
    "text_from_user_id": "Text",
    "text_without_contacts": "Text",
    "text_other_wa_id": "Text",
    "text_in_group": "Text",
    "image": "Image",
    "audio_voice": "Audio",
    "audio_file": "Audio",
    "video": "Video",
    "document": "Document",
    "sticker": "Sticker",
    "location": "Location",
    "contacts": "ContactCards",
    "reaction": "Reaction",
    "reaction_removed": "Reaction",
    "button": "ButtonPress",
    "button_without_context": "ButtonPress",
    "button_reply": "ButtonReply",
    "list_reply": "ListReply",
    "flow_reply": "FlowReply",
    "address_reply": "FlowReply",
    "call_permission_reply": "CallPermissionReply",
    "order": "Order",
    "system_changed_number": "System",
    "system_changed_number_legacy": "System",
    "system_identity_changed": "System",
    "system_changed_user_id": "System",
    "edit": "Edit",
    "revoke": "Revoke",
    "request_welcome": "RequestWelcome",
    "unsupported": "Unsupported",
    "media_not_fetched": "Unsupported",
    "unknown_type": "Unsupported",
    "legacy_dashboard_test": "Text",
    "status_sent": "MessageStatus",
    "status_delivered": "MessageStatus",
    "status_read": "MessageStatus",
    "status_played": "MessageStatus",
    "status_failed": "MessageStatus",
    "status_failed_text_error_data": "MessageStatus",
    "status_to_user_id": "MessageStatus",
    "status_in_group": "MessageStatus",
    "status_payment": "MessageStatus",
    "errors": "ErrorNotice",
    "user_action": "UserAction",
}


@pytest.mark.parametrize("name", CLASSES)
def test_each_type_has_its_class(inbound: Callable[[str], Any], name: str) -> None:
    assert type(read(inbound(name))) is getattr(events, CLASSES[name])


FIELDS: dict[str, dict[str, Any]] = {
    "text": {"body": "Olá! À que horas é o pequeno-almoço? 🥐", "name": "Ana Lima", "sender": "351912345001"},
    "text_from_user_id": {"sender": "PT.900000000000042", "name": "Ana"},
    "text_without_contacts": {"sender": "PT.900000000000043", "name": ""},
    "text_in_group": {"group_id": "Y2FwaV9ncm91cDo0Mg==", "sender": "351912345001"},
    "image": {"media_id": "770000000000001", "mime_type": "image/jpeg", "caption": "the view"},
    "audio_voice": {"voice": True, "mime_type": "audio/ogg; codecs=opus"},
    "audio_file": {"voice": False},
    "video": {"caption": "waves"},
    "document": {"filename": "booking-42.pdf"},
    "sticker": {"animated": True},
    "location": {"latitude": 38.7077, "longitude": -9.1365, "place": "Harbour", "address": "Rua do Arsenal 1"},
    "reaction": {"message_id": "wamid.OUR0001", "emoji": "👍"},
    "reaction_removed": {"message_id": "wamid.OUR0001", "emoji": ""},
    "button": {"payload": "STOP_NEWS", "text": "Stop"},
    "button_reply": {"reply_id": "keep-42", "title": "Keep"},
    "list_reply": {"reply_id": "row-2", "title": "Suite", "description": "Sea view"},
    "flow_reply": {"flow": "flow", "response": {"flow_token": "tk-42", "nights": "3"}},
    "address_reply": {"flow": "address_message", "response": {"values": {"city": "Mumbai"}}},
    "call_permission_reply": {"accepted": True, "permanent": False, "expires": 1790604814},
    "order": {"catalog_id": "194000000000042", "items": (OrderItem("SKU-BLUE", 2, 30.5, "EUR"),)},
    "system_changed_number": {"event": "user_changed_number", "addresses": ("351912345001", "351912345099")},
    "edit": {"original_id": "wamid.OLD0001"},
    "revoke": {"original_id": "wamid.OLD0001"},
    "unsupported": {"type": "poll"},
    "media_not_fetched": {"type": "document"},
    "unknown_type": {"type": "hologram", "errors": ()},
    "status_sent": {"status": "sent", "biz_opaque_callback_data": "rec-42", "timestamp": 1790001000, "type": "message"},
    "status_payment": {"status": "captured", "type": "payment"},
    "user_action": {"action_type": "marketing_messages_link_click", "timestamp": 1790001001},
}


@pytest.mark.parametrize("name", FIELDS)
def test_each_type_has_its_fields(inbound: Callable[[str], Any], name: str) -> None:
    event = read(inbound(name))
    assert {field: getattr(event, field) for field in FIELDS[name]} == FIELDS[name]


def test_contact_cards_come_as_meta_writes_them(inbound: Callable[[str], Any]) -> None:
    assert read(inbound("contacts")).cards[0]["name"]["formatted_name"] == "Rui Costa"


def test_an_edit_carries_the_new_content(inbound: Callable[[str], Any]) -> None:
    assert read(inbound("edit")).message["text"] == {"body": "corrected"}


def test_a_reply_names_the_message_it_answers(inbound: Callable[[str], Any]) -> None:
    context = read(inbound("text_reply")).context
    assert (context.id, context.forwarded) == ("wamid.HBgMMzUxOTEyMzQ1MDAxFQIAERgOUR0001AA==", False)


@pytest.mark.parametrize(("name", "often"), [("text_forwarded", False), ("text_often_forwarded", True)])
def test_a_forwarded_message_says_so(inbound: Callable[[str], Any], name: str, often: Any) -> None:
    context = read(inbound(name)).context
    assert (context.forwarded, context.frequently_forwarded, context.id) == (not often, often, "")


def test_a_question_about_a_product_names_it(inbound: Callable[[str], Any]) -> None:
    context = read(inbound("text_about_product")).context
    assert (context.catalog_id, context.product_retailer_id) == ("194000000000042", "SKU-BLUE")


def test_a_message_from_an_ad_carries_the_referral(inbound: Callable[[str], Any]) -> None:
    assert read(inbound("text_from_ad")).referral["ctwa_clid"] == "ARclid42"


def test_an_interactive_message_without_content_is_unsupported(inbound: Callable[[str], Any]) -> None:
    message, notice = parse(inbound("interactive_without_content"))
    assert isinstance(message, Unsupported)
    assert notice.error.code == 131000


def test_an_unknown_interactive_reply_is_unsupported_by_its_name(inbound: Callable[[str], Any]) -> None:
    delivery = inbound("button_reply")
    message_of(delivery)["interactive"] = {"type": "mind_reply", "mind_reply": {}}
    assert read(delivery).type == "interactive/mind_reply"


def test_what_meta_could_not_fetch_carries_its_error(inbound: Callable[[str], Any]) -> None:
    (error,) = read(inbound("media_not_fetched")).errors
    assert type(error) is WhatsAppMediaError


def test_a_failed_status_carries_the_error_that_delivery_decides_by(inbound: Callable[[str], Any]) -> None:
    (error,) = read(inbound("status_failed")).errors
    assert (type(error), error.code, error.group) == (WhatsAppRecipientError, 131047, "recipient")


def test_error_data_of_a_status_may_be_a_plain_text(inbound: Callable[[str], Any]) -> None:
    (error,) = read(inbound("status_failed_text_error_data")).errors
    assert error.details == "as a plain text"


def test_an_error_of_the_number_is_a_notice(inbound: Callable[[str], Any]) -> None:
    assert type(read(inbound("errors")).error) is WhatsAppRateLimitError


def test_a_status_keeps_pricing_and_conversation(inbound: Callable[[str], Any]) -> None:
    event = read(inbound("status_sent"))
    assert event.pricing["category"] == "utility"
    assert event.conversation["origin"] == {"type": "utility"}


BROKEN = {
    "text": ("text", "text is not an object"),
    "image": ("image", "image is not an object"),
    "location": ("location", "location is not an object"),
    "contacts": ("contacts", "contacts is not a list"),
    "reaction": ("reaction", "reaction is not an object"),
    "order": ("order", "order is not an object"),
    "system_identity_changed": ("system", "system is not an object"),
    "edit": ("edit", "edit is not an object"),
    "revoke": ("revoke", "revoke is not an object"),
}


@pytest.mark.parametrize("name", BROKEN)
def test_a_broken_event_is_malformed_with_its_reason_and_its_sender(inbound: Callable[[str], Any], name: str) -> None:
    key, reason = BROKEN[name]
    delivery = inbound(name)
    message_of(delivery)[key] = 7
    event = read(delivery)
    assert isinstance(event, Malformed)
    assert (event.reason, event.addresses[0]) == (reason, "351912345001")
    assert event.id == message_of(delivery)["id"]


@pytest.mark.parametrize("latitude", [None, "north", True, [], float("nan"), float("inf")])
def test_a_place_without_numbers_is_malformed(inbound: Callable[[str], Any], latitude: Any) -> None:
    delivery = inbound("location")
    message_of(delivery)["location"]["latitude"] = latitude
    assert read(delivery).reason == "latitude is not a number"


@pytest.mark.parametrize("text", ["no json", "{bad", "[]", "null", "7", "", None, 7, []])
def test_a_flow_reply_without_an_object_is_read_with_what_is_there(inbound: Callable[[str], Any], text: Any) -> None:
    delivery = inbound("flow_reply")
    message_of(delivery)["interactive"]["nfm_reply"]["response_json"] = text
    event = read(delivery)
    assert (type(event).__name__, event.response) == ("FlowReply", {})
    assert event.raw["interactive"]["nfm_reply"]["response_json"] == text


@pytest.mark.parametrize(
    ("text", "name"), [(r'{"name": "Zo\ud83e", "size": "M"}', "Zo\ufffd"), ('{"name": 1e999, "size": "M"}', None)]
)
def test_a_form_keeps_its_values_beside_one_that_is_broken(
    inbound: Callable[[str], Any], text: str, name: str | None
) -> None:
    delivery = inbound("flow_reply")
    message_of(delivery)["interactive"]["nfm_reply"]["response_json"] = text
    assert read(delivery).response == {"name": name, "size": "M"}


@pytest.mark.parametrize("reply", [None, [], "sent", {}, {"response_json": {"size": "M"}}])
def test_a_flow_reply_in_any_shape_is_one(inbound: Callable[[str], Any], reply: Any) -> None:
    delivery = inbound("flow_reply")
    message_of(delivery)["interactive"]["nfm_reply"] = reply
    event = read(delivery)
    assert (event.kind, event.response) == ("nfm_reply", {"size": "M"} if isinstance(reply, dict) and reply else {})


ITEMS = {
    "no price": ([{"product_retailer_id": "a", "quantity": 2, "currency": "EUR"}], [("a", 2, None)]),
    "a price in words": ([{"product_retailer_id": "a", "quantity": 2, "item_price": "free"}], [("a", 2, None)]),
    "no quantity": ([{"product_retailer_id": "a", "item_price": 1.5}], [("a", None, 1.5)]),
    "no product": ([{"quantity": "3", "item_price": 1}], [("", 3, 1.0)]),
    "one item that is none": ([7, {"product_retailer_id": "a", "quantity": 1, "item_price": 2}], [("a", 1, 2.0)]),
    "one item in place of a list": ({"product_retailer_id": "a", "quantity": 1, "item_price": 2}, [("a", 1, 2.0)]),
    "no items": (None, []),
}


@pytest.mark.parametrize(("items", "read_as"), ITEMS.values(), ids=ITEMS.keys())
def test_an_order_is_read_with_what_is_there(
    inbound: Callable[[str], Any], items: Any, read_as: list[tuple[str, int | None, float | None]]
) -> None:
    delivery = inbound("order")
    message_of(delivery)["order"]["product_items"] = items
    event = read(delivery)
    assert [(item.product_retailer_id, item.quantity, item.price) for item in event.items] == read_as
    assert event.raw["order"]["product_items"] == items


@pytest.mark.parametrize(
    ("product", "read_as"),
    [
        ({"catalog_id": "c", "product_retailer_id": "sku"}, ("c", "sku")),
        ({"product_retailer_id": "sku"}, ("", "sku")),
        ({"catalog_id": 7}, ("7", "")),
        ({"catalog_id": []}, ("", "")),
        ({}, ("", "")),
    ],
)
@pytest.mark.parametrize("words", [{"body": "Is it blue?"}, None])
def test_a_product_enquiry_is_read_with_what_is_there(
    inbound: Callable[[str], Any], product: dict[str, Any], read_as: tuple[str, str], words: Any
) -> None:
    delivery = inbound("text")
    message_of(delivery).update(text=words, context={"from": "1", "id": "wamid.P", "referred_product": product})
    event = read(delivery)
    assert (event.body, event.context.catalog_id, event.context.product_retailer_id) == (
        words["body"] if words else "",
        *read_as,
    )


def test_media_without_id_are_read_with_what_is_there(inbound: Callable[[str], Any]) -> None:
    delivery = inbound("audio_voice")
    del message_of(delivery)["audio"]["id"]
    assert (read(delivery).media_id, read(delivery).voice) == ("", True)


def test_the_id_of_media_may_be_a_number(inbound: Callable[[str], Any]) -> None:
    delivery = inbound("audio_voice")
    message_of(delivery)["audio"]["id"] = 1003383421387256
    assert read(delivery).media_id == "1003383421387256"


def test_events_cannot_be_changed(inbound: Callable[[str], Any]) -> None:
    with pytest.raises(AttributeError):
        read(inbound("text")).body = "other"


def test_every_sample_is_read(inbound: Callable[[str], Any]) -> None:
    for path in (Path(__file__).parents[2] / "payloads" / "inbound").glob("*.json"):
        assert [event for event in parse(inbound(path.stem)) if isinstance(event, Malformed)] == [], path.stem


@pytest.mark.chaos_only  # a busy machine distorts the measurement
def test_an_ordinary_delivery_costs_less_than_60_microseconds_of_cpu(inbound: Callable[[str], Any]) -> None:
    delivery = inbound("text_reply")

    def cost(rounds: Any = 200) -> Any:
        start = time.process_time()
        for _ in range(rounds):
            list(parse(delivery))
        return (time.process_time() - start) / rounds

    assert min(cost() for _ in range(5)) < 60e-6


@pytest.mark.parametrize(
    "errors",
    [
        [{"code": 131026, "title": "Message undeliverable"}],
        [{"code": "131026", "title": "Message undeliverable"}],
        {"code": 131026, "title": "Message undeliverable"},
        [{"code": 131026, "message": "Message undeliverable", "details": "Message undeliverable"}],
    ],
)
def test_errors_of_a_status_are_read_in_every_form(inbound: Callable[[str], Any], errors: Any) -> None:
    delivery = inbound("status_failed")
    delivery["entry"][0]["changes"][0]["value"]["statuses"][0]["errors"] = errors
    (error,) = read(delivery).errors
    assert (error.code, error.title) == (131026, "Message undeliverable")


def test_an_error_that_is_a_text_is_its_title(inbound: Callable[[str], Any]) -> None:
    delivery = inbound("status_failed")
    delivery["entry"][0]["changes"][0]["value"]["statuses"][0]["errors"] = ["Message undeliverable"]
    assert [error.title for error in read(delivery).errors] == ["Message undeliverable"]


def test_the_end_of_a_call_permission_may_be_a_string(inbound: Callable[[str], Any]) -> None:
    delivery = inbound("call_permission_reply")
    message_of(delivery)["interactive"]["call_permission_reply"]["expiration_timestamp"] = "1790604814"
    assert read(delivery).expires == 1_790_604_814


@pytest.mark.parametrize("levels", [240, 250, 900])
def test_a_flow_reply_can_be_written_inside_other_objects_however_deep_it_is(
    inbound: Callable[[str], Any], levels: int
) -> None:
    delivery = inbound("flow_reply")
    message_of(delivery)["interactive"]["nfm_reply"]["response_json"] = '{"a":' * levels + "1" + "}" * levels
    event = read(delivery)
    assert orjson.dumps({"messages": [{"interactive": {"nfm_reply": {"response": event.response}}}]})
    assert bool(event.response) == (levels == 240)
