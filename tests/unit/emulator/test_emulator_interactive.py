"""Interactive messages: each type is accepted as documented and rejected over its limits."""

from __future__ import annotations

from typing import Any

import pytest

from tests.unit.emulator.emulated import ANA, Emulator, error


def reply(number: int = 1, title: str = "") -> dict[str, Any]:
    return {"type": "reply", "reply": {"id": f"id-{number}", "title": title or f"Title {number}"}}


def row(number: int, **more: Any) -> dict[str, Any]:
    return {"id": f"row-{number}", "title": f"Row {number}", **more}


def buttons(*items: dict[str, Any], **more: Any) -> dict[str, Any]:
    return {"type": "button", "body": {"text": "Choose"}, "action": {"buttons": list(items)}, **more}


def listing(*sections: dict[str, Any], button: str = "Options", **more: Any) -> dict[str, Any]:
    action = {"button": button, "sections": list(sections)}
    return {"type": "list", "body": {"text": "Choose"}, "action": action, **more}


def named(kind: str, name: str, parameters: dict[str, Any] | None = None) -> dict[str, Any]:
    action: dict[str, Any] = {"name": name}
    if parameters is not None:
        action["parameters"] = parameters
    return {"type": kind, "body": {"text": "Hello"}, "action": action}


def card(index: int, kind: str = "cta_url", **changes: Any) -> dict[str, Any]:
    parameters = {"display_text": "Buy", "url": "https://a.example/1"}
    found = {
        "card_index": index,
        "type": kind,
        "header": {"type": "image", "image": {"link": "https://a.example/1.png"}},
        "body": {"text": "Deal"},
        "action": {"name": "cta_url", "parameters": parameters},
        **changes,
    }
    return {name: value for name, value in found.items() if value is not None}


def carousel(*cards: dict[str, Any]) -> dict[str, Any]:
    return {"type": "carousel", "body": {"text": "Week"}, "action": {"cards": list(cards)}}


def product_card(index: int, catalog_id: str = "1") -> dict[str, Any]:
    return {"card_index": index, "type": "product", "action": {"catalog_id": catalog_id, "product_retailer_id": "S"}}


def replies_card(index: int, *ids: str) -> dict[str, Any]:
    buttons = [{"type": "quick_reply", "quick_reply": {"id": id_, "title": f"Take {id_}"}} for id_ in ids]
    return card(index, action={"buttons": buttons})


VIDEO = {"type": "video", "video": {"link": "https://a.example/1.mp4"}}


FLOW = {"flow_message_version": "3", "flow_id": "88", "flow_cta": "Book"}
TAKEN: dict[str, dict[str, Any]] = {
    "one button": buttons(reply()),
    "three buttons with header and footer": buttons(
        reply(1), reply(2), reply(3), header={"type": "text", "text": "Head"}, footer={"text": "Foot"}
    ),
    "image header": buttons(reply(), header={"type": "image", "image": {"link": "https://a.example/a.png"}}),
    "list": listing({"rows": [row(1, description="d"), row(2)]}),
    "list with a long body": listing({"rows": [row(1)]}, body={"text": "x" * 4096}),
    "list of two sections": listing({"title": "A", "rows": [row(1)]}, {"title": "B", "rows": [row(2)]}),
    "cta_url": named("cta_url", "cta_url", {"display_text": "Open", "url": "https://a.example"}),
    "flow": named("flow", "flow", FLOW),
    "product without body": {"type": "product", "action": {"catalog_id": "1", "product_retailer_id": "S"}},
    "product_list": {
        "type": "product_list",
        "header": {"type": "text", "text": "Picks"},
        "body": {"text": "For you"},
        "action": {"catalog_id": "1", "sections": [{"product_items": [{"product_retailer_id": "S"}]}]},
    },
    "catalog": named("catalog_message", "catalog_message"),
    "location request": named("location_request_message", "send_location"),
    "address": named("address_message", "address_message", {"country": "IN"}),
    "call permission": named("call_permission_request", "call_permission_request"),
    "voice call": named("voice_call", "voice_call", {"display_text": "Call", "ttl_minutes": 100}),
    "contact info": named("request_contact_info", "request_contact_info"),
    "carousel": carousel(card(0), card(1, body=None)),
    "carousel of videos": carousel(card(0, header=VIDEO), card(1, header=VIDEO)),
    "carousel of quick replies": carousel(replies_card(0, "a"), replies_card(1, "b", "c")),
    "carousel of products": carousel(product_card(0), product_card(1)),
    "order": named("order_details", "review_and_pay", {"reference_id": "r1", "order": {}}),
}

REFUSED: dict[str, tuple[int, dict[str, Any]]] = {
    "unknown type": (100, {"type": "poll"}),
    "no body": (131008, {"type": "button", "action": {"buttons": [reply()]}}),
    "empty body": (131009, buttons(reply(), body={"text": ""})),
    "long body": (131009, buttons(reply(), body={"text": "x" * 1025})),
    "long footer": (131009, buttons(reply(), footer={"text": "x" * 61})),
    "long header": (131009, buttons(reply(), header={"type": "text", "text": "x" * 61})),
    "no action": (131008, {"type": "button", "body": {"text": "x"}}),
    "no buttons": (131009, buttons()),
    "four buttons": (131009, buttons(reply(1), reply(2), reply(3), reply(4))),
    "long title": (131009, buttons(reply(1, "x" * 21))),
    "same title twice": (131009, buttons(reply(1, "x"), reply(2, "x"))),
    "same id twice": (131009, buttons(reply(1, "x"), reply(1, "y"))),
    "long list label": (131009, listing({"rows": [row(1)]}, button="x" * 21)),
    "image header on a list": (
        131009,
        listing({"rows": [row(1)]}, header={"type": "image", "image": {"link": "https://a.example"}}),
    ),
    "two sections, one without title": (
        131009,
        listing({"title": "A", "rows": [row(1)]}, {"rows": [row(2)]}),
    ),
    "eleven rows": (
        131009,
        listing(
            {"title": "A", "rows": [row(n) for n in range(6)]},
            {"title": "B", "rows": [row(n + 6) for n in range(5)]},
        ),
    ),
    "same row id twice": (131009, listing({"rows": [row(1), row(1)]})),
    "long description": (131009, listing({"rows": [row(1, description="x" * 73)]})),
    "url that is none": (131009, named("cta_url", "cta_url", {"display_text": "Open", "url": "a"})),
    "cta without parameters": (131008, named("cta_url", "cta_url")),
    "flow with id and name": (131009, named("flow", "flow", {**FLOW, "flow_name": "x"})),
    "flow with empty data": (
        131009,
        named("flow", "flow", {**FLOW, "flow_action_payload": {"screen": "S", "data": {}}}),
    ),
    "product_list without header": (
        131008,
        {"type": "product_list", "body": {"text": "x"}, "action": {"catalog_id": "1", "sections": []}},
    ),
    "wrong action name": (131009, named("location_request_message", "location")),
    "one card": (131009, carousel(card(0))),
    "cards without header": (131008, carousel(card(0, header=None), card(1, header=None))),
    "one card without header": (131008, carousel(card(0), card(1, header=None))),
    "card with a text header": (131009, carousel(*(card(n, header={"type": "text", "text": "x"}) for n in (0, 1)))),
    "cards of an image and a video": (131009, carousel(card(0), card(1, header=VIDEO))),
    "card with unknown media": (
        131009,
        carousel(*(card(n, header={"type": "image", "image": {"id": "1"}}) for n in (0, 1))),
    ),
    "cards of an unknown type": (131009, carousel(card(0, "foo"), card(1, "foo"))),
    "cards of two catalogs": (131009, carousel(product_card(0), product_card(1, "2"))),
    "card with a body that is no object": (131008, carousel(card(0, body="x"), card(1))),
    "card with four quick replies": (131009, carousel(replies_card(0, *"abcd"), replies_card(1, "e"))),
    "card with a reply button": (
        131009,
        carousel(card(0), card(1, action={"buttons": [{"type": "reply", "reply": {"id": "a", "title": "A"}}]})),
    ),
    "footer on a carousel": (
        131009,
        {
            "type": "carousel",
            "body": {"text": "x"},
            "footer": {"text": "x"},
            "action": {"cards": [card(0), card(1)]},
        },
    ),
    "cards of two kinds": (131009, carousel(card(0), product_card(1))),
}


@pytest.mark.parametrize("content", TAKEN.values(), ids=TAKEN)
def test_an_interactive_message_within_its_limits_is_taken(meta: Emulator, content: dict[str, Any]) -> None:
    answer = meta.send({"type": "interactive", "interactive": content})
    assert answer.status_code == 200, answer.text


@pytest.mark.parametrize(("code", "content"), REFUSED.values(), ids=REFUSED)
def test_an_interactive_message_past_its_limits_is_refused(meta: Emulator, code: int, content: dict[str, Any]) -> None:
    assert error(meta.send({"type": "interactive", "interactive": content}))["code"] == code


def test_a_long_button_title_is_refused_in_metas_words(meta: Emulator) -> None:
    found = error(meta.send({"type": "interactive", "interactive": buttons(reply(1, "x" * 21))}))
    assert found["error_data"]["details"] == "Button title length invalid. Min length: 1, Max length: 20"


def pressed(meta: Emulator, button: Any) -> dict[str, Any]:
    wamid = meta.sent({"type": "interactive", "interactive": buttons(reply(1, "Keep"), reply(2, "Move"))})
    found: dict[str, Any] = meta.do(f"phones/{ANA}/press", {"message_id": wamid, "button": button})["message"]
    assert found["context"] == {"from": "15550783881", "id": wamid}
    return found


@pytest.mark.parametrize("button", [1, "id-2", "Move"])
def test_a_button_is_pressed_by_position_id_or_title(meta: Emulator, button: Any) -> None:
    content = pressed(meta, button)["interactive"]
    assert content == {"type": "button_reply", "button_reply": {"id": "id-2", "title": "Move"}}


def test_a_button_that_is_not_there_cannot_be_pressed(meta: Emulator) -> None:
    wamid = meta.sent({"type": "interactive", "interactive": buttons(reply())})
    answer = meta.control("POST", f"phones/{ANA}/press", {"message_id": wamid, "button": 7})
    assert (answer.status_code, answer.json) == (409, {"error": "this message has no such button"})


@pytest.mark.parametrize("wanted", ["row-2", "Row 2"])
def test_a_row_is_picked_by_id_or_title(meta: Emulator, wanted: str) -> None:
    wamid = meta.sent({"type": "interactive", "interactive": listing({"rows": [row(1), row(2, description="d")]})})
    content = meta.do(f"phones/{ANA}/pick", {"message_id": wamid, "row": wanted})["message"]["interactive"]
    assert content["list_reply"] == {"id": "row-2", "title": "Row 2", "description": "d"}
