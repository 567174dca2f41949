"""Sending templates: every parameter is checked against the stored definition."""

from __future__ import annotations

from typing import Any

import pytest

from tests.unit.emulator.emulated import ANA, Emulator, error


def text(value: str, **more: Any) -> dict[str, Any]:
    return {"type": "text", "text": value, **more}


def part(kind: str, *parameters: dict[str, Any], **more: Any) -> dict[str, Any]:
    return {"type": kind, "parameters": list(parameters), **more}


def url_button(suffix: str = "A-77", index: Any = "0") -> dict[str, Any]:
    return part("button", text(suffix), sub_type="url", index=index)


def quick_reply(payload: str, index: Any = 1) -> dict[str, Any]:
    return part("button", {"type": "payload", "payload": payload}, sub_type="quick_reply", index=index)


def order(*extra: dict[str, Any], header: Any = None, body: Any = None, url: Any = None) -> dict[str, Any]:
    components = [
        header if header is not None else part("header", text("A-77")),
        body if body is not None else part("body", text("Ana"), text("today")),
        url if url is not None else url_button(),
        *extra,
    ]
    return template("order_update", *[item for item in components if item])


def sale(**changes: Any) -> dict[str, Any]:
    parts = {
        "header": part("header", {"type": "image", "image": {"link": "https://a.example/a.png"}}),
        "body": part("body", text("Friday", parameter_name="last_day"), text("Ana", parameter_name="first_name")),
        "coupon": part("button", {"type": "coupon_code", "coupon_code": "S25"}, sub_type="copy_code", index=0),
        **changes,
    }
    return template("seasonal_sale", *parts.values())


OFFER = part("limited_time_offer", {"type": "limited_time_offer", "limited_time_offer": {"expiration_time_ms": 1}})


def code(digits: str = "482913") -> dict[str, Any]:
    return template("one_time_code", part("body", text(digits)), url_button(digits))


def template(name: str, *components: dict[str, Any], language: str = "en_US") -> dict[str, Any]:
    content: dict[str, Any] = {"name": name, "language": {"code": language}}
    if components:
        content["components"] = list(components)
    return {"type": "template", "template": content}


def refusal(meta: Emulator, body: dict[str, Any]) -> tuple[int, int, str]:
    answer = meta.send(body)
    found = error(answer)
    return answer.status_code, found["code"], found.get("error_data", {}).get("details", "")


def test_a_template_is_shown_filled_in(meta: Emulator) -> None:
    meta.sent(order(quick_reply("STOP-1")))
    assert meta.last()["rendered"] == {
        "header": {"format": "TEXT", "text": "Order A-77"},
        "body": "Hello Ana, your order ships today and arrives a day later.",
        "footer": "Reply stop to end these notes",
        "buttons": [
            {"type": "URL", "text": "Track it", "url": "https://example.org/track/A-77"},
            {"type": "QUICK_REPLY", "text": "Stop", "payload": "STOP-1"},
        ],
    }


def test_named_parameters_are_taken_in_any_order(meta: Emulator) -> None:
    meta.sent(sale())
    assert meta.last()["rendered"]["body"] == "Hello Ana, our sale ends Friday at midnight."


def test_a_one_time_code_shows_its_code_on_the_button(meta: Emulator) -> None:
    meta.sent(code())
    assert meta.last()["rendered"]["buttons"] == [{"type": "OTP", "text": "Copy code", "code": "482913"}]


def test_amounts_and_dates_show_their_fallback(meta: Emulator) -> None:
    amount = {"type": "currency", "currency": {"fallback_value": "GBP 1", "code": "GBP", "amount_1000": 1000}}
    day = {"type": "date_time", "date_time": {"fallback_value": "3 March"}}
    meta.sent(order(body=part("body", amount, day)))
    assert "Hello GBP 1, your order ships 3 March" in meta.last()["rendered"]["body"]


def test_a_quick_reply_without_payload_answers_with_its_text(meta: Emulator) -> None:
    wamid = meta.sent(order())
    message = meta.do(f"phones/{ANA}/press", {"message_id": wamid, "button": "Stop"})["message"]
    assert message["button"] == {"payload": "Stop", "text": "Stop"}


def test_a_quick_reply_answers_with_its_payload(meta: Emulator) -> None:
    wamid = meta.sent(order(quick_reply("STOP-1")))
    message = meta.do(f"phones/{ANA}/press", {"message_id": wamid, "button": 0})["message"]
    assert message["button"] == {"payload": "STOP-1", "text": "Stop"}


@pytest.mark.parametrize("name", ["no_such", "rejected_offer", "pending_offer"])
def test_a_template_that_is_not_approved_does_not_exist(meta: Emulator, name: str) -> None:
    details = f"template name ({name}) does not exist in en_US"
    assert refusal(meta, template(name)) == (404, 132001, details)


def test_another_language_does_not_exist(meta: Emulator) -> None:
    assert refusal(meta, template("hello_world", language="de"))[:2] == (404, 132001)


@pytest.mark.parametrize(("name", "wanted"), [("paused_offer", 132015), ("disabled_offer", 132016)])
def test_a_paused_or_disabled_template_is_refused(meta: Emulator, name: str, wanted: int) -> None:
    assert refusal(meta, template(name))[:2] == (400, wanted)


REFUSED: dict[str, tuple[int, str, dict[str, Any]]] = {
    "too few in the body": (
        132000,
        "body: number of localizable_params (1) does not match the expected number of params (2)",
        order(body=part("body", text("Ana"))),
    ),
    "too many in the header": (
        132000,
        "header: number of localizable_params (2) does not match the expected number of params (1)",
        order(header=part("header", text("A"), text("B"))),
    ),
    "parameters of a static template": (
        132000,
        "body: number of localizable_params (1) does not match the expected number of params (0)",
        template("hello_world", part("body", text("x"))),
    ),
    "no media for the header": (
        132012,
        "header: Format mismatch, expected IMAGE, received UNKNOWN",
        sale(header=part("header")),
    ),
    "text for an image header": (
        132012,
        "header: Format mismatch, expected IMAGE, received TEXT",
        sale(header=part("header", text("x"))),
    ),
    "named for positional": (
        132012,
        "body: named parameters for a positional template.",
        order(body=part("body", text("Ana", parameter_name="a"), text("b"))),
    ),
    "other names": (
        132012,
        "body: parameter names do not match: first_name, last_day",
        sale(body=part("body", text("a", parameter_name="x"), text("b", parameter_name="y"))),
    ),
    "url button without parameter": (
        131008,
        "buttons: Button at index 0 of type Url requires a parameter",
        order(url=False),
    ),
    "button that is not there": (132012, "buttons: there is no button at index 5", order(quick_reply("x", 5))),
    "button of another type": (
        132012,
        "buttons: Button at index 0 is of type url, received quick_reply",
        order(url=quick_reply("x", 0)),
    ),
    "empty text": (
        131008,
        "Parameter of type text is missing text value",
        order(body=part("body", text(""), text("b"))),
    ),
    "line break": (
        100,
        "Param text cannot have new-line/tab characters or more than 4 consecutive spaces",
        order(body=part("body", text("a\nb"), text("b"))),
    ),
    "five spaces": (
        100,
        "Param text cannot have new-line/tab characters or more than 4 consecutive spaces",
        order(body=part("body", text("a     b"), text("b"))),
    ),
    "long once filled in": (
        132005,
        "body: the text is longer than 1024 characters.",
        order(body=part("body", text("x" * 1024), text("b"))),
    ),
    "coupon without code": (
        131008,
        "buttons: Button at index 0 of type CopyCode requires a parameter",
        sale(coupon=part("button", sub_type="copy_code", index=0)),
    ),
    "long one-time code": (131009, "body: the code is longer than 15 characters.", code("1" * 16)),
    "one-time code that differs from the button's": (
        131009,
        "buttons: the code is not that of the body.",
        template("one_time_code", part("body", text("1")), url_button("2")),
    ),
    "two parameters for a url": (
        132000,
        "buttons: number of parameters (2) does not match the expected number of params (1)",
        order(url=part("button", text("a"), text("b"), sub_type="url", index=0)),
    ),
    "text for a quick reply": (
        132012,
        "buttons: Format mismatch, expected PAYLOAD, received TEXT",
        order(part("button", text("a"), sub_type="quick_reply", index=1)),
    ),
    "offer for a template without one": (
        132000,
        "limited_time_offer: the template has no such component.",
        order(OFFER),
    ),
}


@pytest.mark.parametrize(("wanted", "details", "body"), REFUSED.values(), ids=REFUSED)
def test_wrong_parameters_are_refused_in_metas_words(
    meta: Emulator, wanted: int, details: str, body: dict[str, Any]
) -> None:
    assert refusal(meta, body) == (400, wanted, details)


ACTION = {"thumbnail_product_retailer_id": "S", "sections": [{"product_items": [{"product_retailer_id": "S"}]}]}
PLACE = {"latitude": 1, "longitude": "2"}
PRODUCT = {"product_retailer_id": "S", "catalog_id": "1"}


def header(kind: str, value: Any) -> dict[str, Any]:
    return part("header", {"type": kind, kind: value})


def button(sub_type: str, **value: Any) -> dict[str, Any]:
    return part("button", {"type": next(iter(value)), **value}, sub_type=sub_type, index=0)


# The definition besides the body, then sends that fit it, and others with their error.
FITS: dict[str, tuple[dict[str, Any], list[list[dict[str, Any]]], list[tuple[int, list[dict[str, Any]]]]]] = {
    "an offer that expires": (
        {"type": "LIMITED_TIME_OFFER", "limited_time_offer": {"text": "Soon", "has_expiration": True}},
        [[OFFER]],
        [
            (132012, []),
            (132012, [part("limited_time_offer")]),
            (132012, [part("limited_time_offer", text("x"))]),
            (131008, [part("limited_time_offer", {"type": "limited_time_offer", "limited_time_offer": {}})]),
            (100, [OFFER, OFFER]),
        ],
    ),
    "an offer without an end": (
        {"type": "LIMITED_TIME_OFFER", "limited_time_offer": {"text": "Soon", "has_expiration": False}},
        [[], [OFFER]],
        [(132012, [part("limited_time_offer", text("x"))])],
    ),
    "an offer that does not say whether it expires": (
        {"type": "LIMITED_TIME_OFFER", "limited_time_offer": {"text": "Soon"}},
        [[], [OFFER]],
        [],
    ),
    "MPM": (
        {"type": "MPM", "text": "View"},
        [[button("mpm", action=ACTION)]],
        [
            (131008, []),
            (131008, [part("button", sub_type="mpm", index=0)]),
            (131008, [button("mpm", action="x")]),
            (131009, [button("mpm", action={"sections": []})]),
        ],
    ),
    "ORDER_DETAILS": (
        {"type": "ORDER_DETAILS", "text": "Pay"},
        [[button("order_details", action={"order_details": {"reference_id": "1"}})]],
        [(131008, []), (131008, [button("order_details", action={})])],
    ),
    "FLOW": (
        {"type": "FLOW", "text": "Book"},
        [[], [button("flow", action={"flow_token": "t"})]],
        [(132012, [button("flow", text="x")]), (131008, [button("flow", action="x")])],
    ),
    "CATALOG": (
        {"type": "CATALOG", "text": "View"},
        [[], [button("catalog", action={"thumbnail_product_retailer_id": "S"})]],
        [(132012, [button("catalog", text="x")])],
    ),
    "VOICE_CALL": (
        {"type": "VOICE_CALL", "text": "Call"},
        [
            [],
            [
                part(
                    "button",
                    {"type": "ttl_minutes", "ttl_minutes": 5},
                    {"type": "payload", "payload": "x"},
                    sub_type="voice_call",
                    index=0,
                )
            ],
        ],
        [(132012, [button("voice_call", text="x")]), (131009, [button("voice_call", ttl_minutes="5")])],
    ),
    "PHONE_NUMBER": (
        {"type": "PHONE_NUMBER", "text": "Call", "phone_number": "+15550051310"},
        [[]],
        [(132000, [button("phone_number", text="x")])],
    ),
    "COPY_CODE": (
        {"type": "COPY_CODE", "example": "S25"},
        [[button("copy_code", coupon_code="x" * 20)]],
        [(131009, [button("copy_code", coupon_code="x" * 21)]), (132012, [button("copy_code", text="S25")])],
    ),
    "a URL with a variable": (
        {"type": "URL", "text": "Open", "url": "https://a.example/{{1}}"},
        [[url_button("a")]],
        [
            (132005, [url_button("x" * 2000)]),
            (100, [url_button("a"), url_button("b")]),
            (132012, [button("url", payload="x")]),
        ],
    ),
    "a place": (
        {"type": "HEADER", "format": "LOCATION"},
        [[header("location", PLACE)]],
        [(131008, [header("location", {})]), (131009, [header("location", {**PLACE, "latitude": "x"})]), (132012, [])],
    ),
    "a product": (
        {"type": "HEADER", "format": "PRODUCT"},
        [[header("product", PRODUCT)]],
        [(131008, [header("product", {})]), (131008, [header("product", {"catalog_id": "1"})])],
    ),
    "a GIF": (
        {"type": "HEADER", "format": "GIF"},
        [[header("gif", {"link": "https://a.example/a.mp4"})]],
        [(100, [header("gif", {})]), (131009, [header("gif", {"id": "1"})])],
    ),
    "a footer": (
        {"type": "FOOTER", "text": "Acme"},
        [[], [part("body")]],
        [
            (100, [part("colour")]),
            (100, [{"parameters": []}]),
            (100, [part("body"), part("body")]),
            (100, [part("BODY"), part("body")]),
        ],
    ),
}


def define(meta: Emulator, other: dict[str, Any]) -> None:
    kind = other["type"]
    buttons = kind not in ("HEADER", "FOOTER", "LIMITED_TIME_OFFER")
    components = [{"type": "BODY", "text": "Hello"}, {"type": "BUTTONS", "buttons": [other]} if buttons else other]
    defined = {"name": "defined", "language": "en_US", "category": "MARKETING", "components": components}
    meta.do("seed", {"templates": [defined]})


@pytest.mark.parametrize("name", FITS)
def test_only_what_fits_the_definition_is_taken(meta: Emulator, name: str) -> None:
    definition, fitting, refused = FITS[name]
    define(meta, definition)
    for components in fitting:
        answer = meta.send(template("defined", *components))
        assert answer.status_code == 200, answer.text
    assert [refusal(meta, template("defined", *components))[1] for _, components in refused] == [
        wanted for wanted, _ in refused
    ]


def test_an_offer_is_shown_with_its_end(meta: Emulator) -> None:
    define(meta, FITS["an offer that expires"][0])
    meta.sent(template("defined", OFFER))
    shown = meta.last()["rendered"]["limited_time_offer"]
    assert shown == {"text": "Soon", "has_expiration": True, "expiration_time_ms": 1}


def test_a_tap_target_can_be_named(meta: Emulator) -> None:
    target = [{"url": "https://a.example", "title": "A"}]
    named = part("tap_target_configuration", {"type": "tap_target_configuration", "tap_target_configuration": target})
    meta.sent(sale(target=named))


def test_a_carousel_needs_all_its_cards(meta: Emulator) -> None:
    body = template("plant_carousel", {"type": "carousel", "cards": []})
    assert refusal(meta, body)[:2] == (400, 132000)


def plant(name: str, index: Any, payload: str = "") -> dict[str, Any]:
    image = {"type": "image", "image": {"link": "https://a.example/a.png"}}
    reply = [quick_reply(payload, 0)] if payload else []
    return {"card_index": index, "components": [part("header", image), part("body", text(name)), *reply]}


def plants(*cards: dict[str, Any]) -> dict[str, Any]:
    return template("plant_carousel", {"type": "carousel", "cards": list(cards)})


def test_cards_are_in_the_order_of_their_index(meta: Emulator) -> None:
    meta.sent(plants(plant("Fern", "1"), plant("Aloe", 0)))
    bodies = [card["body"] for card in meta.last()["rendered"]["cards"]]
    assert bodies == ["Meet Aloe, easy to keep.", "Meet Fern, easy to keep."]


@pytest.mark.parametrize("index", [0, 2, None, "x"])
def test_every_card_needs_an_index_of_its_own(meta: Emulator, index: Any) -> None:
    assert refusal(meta, plants(plant("Aloe", 0), plant("Fern", index)))[:2] == (400, 131008)


@pytest.mark.parametrize("button", [1, "fern"])
def test_a_card_s_quick_reply_is_pressed_by_position_or_payload(meta: Emulator, button: Any) -> None:
    wamid = meta.sent(plants(plant("Aloe", 0, "aloe"), plant("Fern", 1, "fern")))
    message = meta.do(f"phones/{ANA}/press", {"message_id": wamid, "button": button})["message"]
    assert message["button"] == {"payload": "fern", "text": "More"}


def test_only_the_deterministic_policy_exists(meta: Emulator) -> None:
    body = template("hello_world")
    body["template"]["language"]["policy"] = "fallback"
    found = error(meta.send(body))["message"]
    assert found == "(#100) Param template['language']['policy'] must be one of {DETERMINISTIC}."
