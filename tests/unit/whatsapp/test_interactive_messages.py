"""Interactive messages: each type within its limits is sent unchanged; beyond them, the error is a sentence."""

from __future__ import annotations

import copy
from typing import Any

import pytest
from pydantic import ValidationError

from wa_service.whatsapp.outbound.messages import parse_message, problems

BODY = {"text": "Which one?"}


def rows(count: int, start: Any = 0) -> Any:
    return [{"id": f"r{start + n}", "title": f"Row {n}"} for n in range(count)]


def buttons(count: int) -> Any:
    return [{"type": "reply", "reply": {"id": f"b{n}", "title": f"Button {n}"}} for n in range(count)]


def products(count: int) -> Any:
    return [{"product_retailer_id": f"SKU-{n}"} for n in range(count)]


GOOD: dict[str, Any] = {
    "button": {
        "type": "button",
        "header": {"type": "image", "image": {"id": "77"}},
        "body": BODY,
        "footer": {"text": "Hotel"},
        "action": {"buttons": buttons(3)},
    },
    "list": {
        "type": "list",
        "header": {"type": "text", "text": "Rooms"},
        "body": {"text": "x" * 4096},
        "action": {
            "button": "Choose",
            "sections": [{"title": "A", "rows": rows(5)}, {"title": "B", "rows": rows(5, 5)}],
        },
    },
    "cta_url": {
        "type": "cta_url",
        "header": {"type": "document", "document": {"link": "https://a.example/a.pdf", "filename": "a.pdf"}},
        "body": BODY,
        "action": {"name": "cta_url", "parameters": {"display_text": "Open", "url": "https://a.example/d?u=7"}},
    },
    "flow": {
        "type": "flow",
        "body": BODY,
        "action": {
            "name": "flow",
            "parameters": {
                "flow_message_version": "3",
                "flow_id": "880000000042",
                "flow_cta": "Book",
                "flow_action": "navigate",
                "flow_action_payload": {"screen": "FIRST", "data": {"city": "Porto"}},
            },
        },
    },
    "product": {
        "type": "product",
        "body": BODY,
        "action": {"catalog_id": "194000000000042", "product_retailer_id": "SKU-1"},
    },
    "product_list": {
        "type": "product_list",
        "header": {"type": "text", "text": "Picks"},
        "body": BODY,
        "action": {
            "catalog_id": "194000000000042",
            "sections": [{"title": "A", "product_items": products(15)}, {"title": "B", "product_items": products(15)}],
        },
    },
    "catalog_message": {
        "type": "catalog_message",
        "body": BODY,
        "action": {"name": "catalog_message", "parameters": {"thumbnail_product_retailer_id": "SKU-1"}},
    },
    "location_request_message": {"type": "location_request_message", "body": BODY, "action": {"name": "send_location"}},
    "address_message": {
        "type": "address_message",
        "body": BODY,
        "action": {"name": "address_message", "parameters": {"country": "IN", "values": {"city": "Mumbai"}}},
    },
}


def parse(content: Any) -> Any:
    return parse_message({"to": "15551234567", "type": "interactive", "interactive": content})


@pytest.mark.parametrize("type_", GOOD)
def test_each_interactive_type_is_sent_as_given(type_: str) -> None:
    assert parse(GOOD[type_]).payload()["interactive"] == GOOD[type_]


@pytest.mark.parametrize("type_", GOOD)
def test_each_interactive_type_keeps_fields_of_tomorrow(type_: str) -> None:
    content = copy.deepcopy(GOOD[type_])
    content["sparkle"] = content["action"]["sparkle"] = {"on": None}
    assert parse(content).payload()["interactive"] == content


BAD = [
    ("button", ("body",), None, "body"),
    ("button", ("body", "text"), "x" * 1025, "body.text"),
    ("button", ("footer", "text"), "x" * 61, "footer.text"),
    ("button", ("header",), {"type": "text", "text": "x" * 61}, "header.text"),
    ("button", ("header",), {"type": "image"}, "header"),
    ("button", ("action", "buttons"), [], "action.buttons"),
    ("button", ("action", "buttons"), buttons(4), "action.buttons"),
    ("button", ("action", "buttons", 0, "reply", "title"), "x" * 21, "action.buttons.0.reply.title"),
    ("button", ("action", "buttons", 0, "reply", "id"), "x" * 257, "action.buttons.0.reply.id"),
    ("button", ("action", "buttons", 0, "reply", "id"), " keep", "action.buttons.0"),
    ("button", ("action", "buttons", 0, "reply"), None, "action.buttons.0"),
    ("button", ("action", "buttons", 0, "reply", "title"), "Button 1", "action"),
    ("button", ("action", "buttons", 0, "reply", "id"), "b1", "action"),
    ("list", ("body", "text"), "x" * 4097, "body.text"),
    ("list", ("header",), {"type": "image", "image": {"id": "77"}}, ""),
    ("list", ("action", "button"), "x" * 21, "action.button"),
    ("list", ("action", "sections"), [], "action.sections"),
    ("list", ("action", "sections", 0, "rows"), rows(6, 20), "action"),
    ("list", ("action", "sections", 0, "title"), None, "action"),
    ("list", ("action", "sections", 0, "title"), "x" * 25, "action.sections.0.title"),
    ("list", ("action", "sections", 0, "rows", 0, "id"), "r9", "action"),
    ("list", ("action", "sections", 0, "rows", 0, "id"), "x" * 201, "action.sections.0.rows.0.id"),
    ("list", ("action", "sections", 0, "rows", 0, "title"), "x" * 25, "action.sections.0.rows.0.title"),
    ("list", ("action", "sections", 0, "rows", 0, "description"), "x" * 73, "action.sections.0.rows.0.description"),
    ("cta_url", ("action", "parameters", "display_text"), "x" * 21, "action.parameters.display_text"),
    ("cta_url", ("action", "parameters", "url"), "a.example", "action.parameters.url"),
    ("flow", ("action", "parameters", "flow_name"), "two", "action.parameters"),
    ("flow", ("action", "parameters", "flow_id"), None, "action.parameters"),
    ("flow", ("action", "parameters", "flow_cta"), "x" * 31, "action.parameters.flow_cta"),
    ("flow", ("action", "parameters", "flow_action"), "data_exchange", "action.parameters"),
    ("flow", ("action", "parameters", "flow_action"), "fly", "action.parameters.flow_action"),
    ("flow", ("action", "parameters", "flow_action_payload", "data"), {}, "action.parameters"),
    ("product", ("header",), {"type": "text", "text": "no"}, ""),
    ("product", ("action", "catalog_id"), "", "action.catalog_id"),
    ("product_list", ("header",), None, "header"),
    ("product_list", ("header",), {"type": "image", "image": {"id": "77"}}, ""),
    ("product_list", ("action", "sections", 0, "product_items"), products(16), "action"),
    ("product_list", ("action", "sections", 0, "title"), None, "action"),
    ("catalog_message", ("header",), {"type": "text", "text": "no"}, ""),
    ("location_request_message", ("header",), {"type": "text", "text": "no"}, ""),
    ("location_request_message", ("action", "name"), "fly", "action.name"),
    ("address_message", ("action", "parameters", "country"), "India", "action.parameters.country"),
]


@pytest.mark.parametrize(("type_", "where", "value", "path"), BAD)
def test_one_step_over_a_limit_is_refused_with_its_path(type_: str, where: Any, value: Any, path: str) -> None:
    content = copy.deepcopy(GOOD[type_])
    inner = content
    for key in where[:-1]:
        inner = inner[key]
    if value is None:
        del inner[where[-1]]
    else:
        inner[where[-1]] = value
    with pytest.raises(ValidationError) as caught:
        parse(content)
    ((found, sentence),) = problems(caught.value)
    assert found == ".".join(filter(None, ["interactive", path]))
    assert sentence.endswith(".")


def test_a_header_of_tomorrow_passes() -> None:
    content = {**GOOD["button"], "header": {"type": "gif", "gif": {"id": "77"}}}
    assert parse(content).payload()["interactive"]["header"] == {"type": "gif", "gif": {"id": "77"}}


def test_a_button_of_tomorrow_passes() -> None:
    content = {**GOOD["button"], "action": {"buttons": [{"type": "wish", "wish": {"id": "1"}}]}}
    assert parse(content).payload()["interactive"] == content


def test_the_action_of_a_location_request_may_be_left_out() -> None:
    content = {"type": "location_request_message", "body": BODY}
    assert parse(content).payload()["interactive"]["action"] == {"name": "send_location"}
