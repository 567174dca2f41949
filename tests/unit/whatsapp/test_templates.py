"""Template messages: components from plain values, or raw; the error for invalid values is a sentence."""

from __future__ import annotations

from typing import Any

import pytest
from pydantic import ValidationError

from wa_service.whatsapp.outbound.messages import parse_message, parse_reply, problems
from wa_service.whatsapp.outbound.templates import build_components

TO = "15551234567"


def refused(template: Any) -> Any:
    with pytest.raises(ValidationError) as caught:
        parse_message({"to": TO, "type": "template", "template": template})
    return [tuple(problem) for problem in problems(caught.value)]


HEADERS: dict[str, Any] = {
    "text": ("A-77", {"type": "text", "text": "A-77"}),
    "image": ({"image": {"id": "77"}}, {"type": "image", "image": {"id": "77"}}),
    "video": ({"video": {"id": "78"}}, {"type": "video", "video": {"id": "78"}}),
    "document": (
        {"document": {"id": "77", "filename": "a.pdf"}},
        {"type": "document", "document": {"id": "77", "filename": "a.pdf"}},
    ),
    "location": (
        {"location": {"latitude": "1", "longitude": "2"}},
        {"type": "location", "location": {"latitude": "1", "longitude": "2"}},
    ),
    "product": (
        {"product": {"product_retailer_id": "SKU-1", "catalog_id": "1"}},
        {"type": "product", "product": {"product_retailer_id": "SKU-1", "catalog_id": "1"}},
    ),
    "named": ({"guest": "Ana"}, {"type": "text", "text": "Ana", "parameter_name": "guest"}),
    "raw": ({"type": "text", "text": "x"}, {"type": "text", "text": "x"}),
}


@pytest.mark.parametrize("name", HEADERS)
def test_a_header_of_each_kind(name: str) -> None:
    value, parameter = HEADERS[name]
    assert build_components(header=value) == [{"type": "header", "parameters": [parameter]}]


CURRENCY = {"currency": {"fallback_value": "GBP 12.50", "code": "GBP", "amount_1000": 12500}}
DATE = {"date_time": {"fallback_value": "3 March 2026"}}


def test_a_positional_body() -> None:
    (body,) = build_components(body=["Ana", 3, CURRENCY, DATE])
    assert body["parameters"] == [
        {"type": "text", "text": "Ana"},
        {"type": "text", "text": "3"},
        {"type": "currency", **CURRENCY},
        {"type": "date_time", **DATE},
    ]


def test_a_named_body() -> None:
    (body,) = build_components(body={"guest": "Ana", "price": CURRENCY})
    assert body["parameters"] == [
        {"type": "text", "text": "Ana", "parameter_name": "guest"},
        {"type": "currency", **CURRENCY, "parameter_name": "price"},
    ]


def test_a_body_of_one_text() -> None:
    assert build_components(body="Ana") == build_components(body=["Ana"])


BUTTONS: dict[str, Any] = {
    "text": ("A-77", "url", [{"type": "text", "text": "A-77"}]),
    "url": ({"url": "A-77"}, "url", [{"type": "text", "text": "A-77"}]),
    "quick_reply": ({"quick_reply": "STOP"}, "quick_reply", [{"type": "payload", "payload": "STOP"}]),
    "copy_code": ({"copy_code": "S25"}, "copy_code", [{"type": "coupon_code", "coupon_code": "S25"}]),
    "flow": ({"flow": {"flow_token": "t"}}, "flow", [{"type": "action", "action": {"flow_token": "t"}}]),
    "catalog": (
        {"catalog": "SKU-1"},
        "catalog",
        [{"type": "action", "action": {"thumbnail_product_retailer_id": "SKU-1"}}],
    ),
    "mpm": ({"mpm": {"sections": []}}, "mpm", [{"type": "action", "action": {"sections": []}}]),
    "voice_call": ({"voice_call": 100}, "voice_call", [{"type": "ttl_minutes", "ttl_minutes": 100}]),
}


@pytest.mark.parametrize("name", BUTTONS)
def test_a_button_of_each_kind(name: str) -> None:
    value, sub_type, parameters = BUTTONS[name]
    assert build_components(buttons=[value]) == [
        {"type": "button", "sub_type": sub_type, "index": "0", "parameters": parameters}
    ]


def test_a_button_without_variable_keeps_its_place() -> None:
    (button,) = build_components(buttons=[None, "A-77"])
    assert button["index"] == "1"


def test_a_button_may_name_its_place() -> None:
    (button,) = build_components(buttons=[{"url": "A-77", "index": 4}])
    assert button["index"] == "4"


def test_a_voice_call_button_may_carry_time_and_payload() -> None:
    (button,) = build_components(buttons=[{"voice_call": {"ttl_minutes": 5, "payload": "p"}}])
    assert [parameter["type"] for parameter in button["parameters"]] == ["ttl_minutes", "payload"]


def test_a_limited_time_offer() -> None:
    (offer,) = build_components(limited_time_offer=1790000000000)
    assert offer["parameters"][0]["limited_time_offer"] == {"expiration_time_ms": 1790000000000}


def test_a_carousel() -> None:
    cards = [{"header": {"image": {"id": "1"}}, "body": ["Aloe"], "buttons": [{"quick_reply": "more"}, "aloe"]}] * 2
    (carousel,) = build_components(carousel=cards)
    assert [card["card_index"] for card in carousel["cards"]] == [0, 1]
    assert [part["type"] for part in carousel["cards"][1]["components"]] == ["header", "body", "button", "button"]


def test_a_one_time_code_fills_body_and_button() -> None:
    assert build_components(one_time_code="482913") == [
        {"type": "body", "parameters": [{"type": "text", "text": "482913"}]},
        {"type": "button", "sub_type": "url", "index": "0", "parameters": [{"type": "text", "text": "482913"}]},
    ]


def test_nothing_given_is_no_components() -> None:
    assert build_components() == []


@pytest.mark.parametrize(
    ("values", "sentence"),
    [
        ({"footer": "x"}, "footer takes no parameters"),
        ({"one_time_code": "1" * 16}, "at most 15"),
        ({"body": [{"image": {"id": "1"}, "video": {"id": "2"}}]}, "exactly one of"),
        ({"body": [{"smell": "rose"}]}, "exactly one of"),
        ({"buttons": [{"smell": "rose"}]}, "exactly one of"),
        ({"buttons": [{"url": "a", "copy_code": "b"}]}, "exactly one of"),
        ({"body": ["Ana", None]}, "a string, a number, or an object"),
        ({"body": [True]}, "a string, a number, or an object"),
        ({"body": [["Ana"]]}, "a string, a number, or an object"),
        ({"body": {"name": None}}, "a string, a number, or an object"),
        ({"header": ["A-77"]}, "a string, a number, or an object"),
        ({"buttons": [True]}, "a string, a number, or an object"),
        ({"buttons": [["A-77"]]}, "a string, a number, or an object"),
        ({"buttons": [{"url": None}]}, "a string, a number, or an object"),
        ({"buttons": [{"flow": None}]}, "action of a button is an object"),
        ({"buttons": [{"mpm": "SKU-1"}]}, "action of a button is an object"),
        ({"carousel": ["Aloe"]}, "card of a carousel is an object"),
        ({"one_time_code": 482913}, "one-time code is a string"),
    ],
)
def test_what_cannot_be_built_is_a_sentence(values: Any, sentence: str) -> None:
    with pytest.raises(ValueError, match=sentence):
        build_components(**values)


def test_the_short_form_becomes_metas_object() -> None:
    short = {"name": "order_update", "language": "en_GB", "header": "A-77", "body": ["Ana"], "buttons": ["A-77"]}
    template = parse_reply({"template": short}).payload()["template"]
    assert template == {
        "name": "order_update",
        "language": {"code": "en_GB"},
        "components": build_components(header="A-77", body=["Ana"], buttons=["A-77"]),
    }


@pytest.mark.parametrize("index", [["0"], {"0": 0}, True, -1, ""])
def test_a_wrong_index_of_a_button_is_refused_with_its_path(index: Any) -> None:
    button = {"type": "button", "sub_type": "url", "index": index}
    found = refused({"name": "sale", "language": "en", "components": [button]})
    assert [path for path, _ in found] == ["template.components.0.index"]


def test_raw_components_pass_as_they_are() -> None:
    raw = {
        "name": "sale",
        "language": {"code": "en", "policy": "deterministic"},
        "components": [
            {
                "type": "limited_time_offer",
                "parameters": [{"type": "limited_time_offer", "limited_time_offer": {"a": 1}}],
            },
            {"type": "carousel", "cards": [{"card_index": 0, "components": []}]},
            {"type": "tap_target_configuration", "parameters": [{"type": "tap_target_configuration", "x": [None]}]},
            {
                "type": "button",
                "sub_type": "order_details",
                "index": 0,
                "parameters": [{"type": "action", "action": {}}],
            },
        ],
    }
    assert parse_message({"to": TO, "template": raw}).payload()["template"] == raw


def test_a_template_without_variables_has_no_components() -> None:
    template = parse_message({"to": TO, "template": {"name": "hello", "language": "en"}}).payload()["template"]
    assert template == {"name": "hello", "language": {"code": "en"}}


def body_with(parameter: Any) -> Any:
    return {"name": "a", "language": "en", "components": [{"type": "body", "parameters": [parameter]}]}


BAD = [
    ({"name": "Not Lower", "language": "en"}, "template.name"),
    ({"name": "a"}, "template.language"),
    ({"name": "a", "language": {"code": "e"}}, "template.language.code"),
    ({"name": "a", "language": "en", "footer": "x"}, "template"),
    ({"name": "a", "language": "en", "body": [{"smell": 1}]}, "template"),
    ({"name": "a", "language": "en", "body": [None]}, "template"),
    ({"name": "a", "language": "en", "body": ["x"], "components": []}, "template"),
    ({"name": "a", "language": "en", "components": [{"type": "footer"}]}, "template.components.0"),
    ({"name": "a", "language": "en", "components": [{"type": "button", "index": 0}]}, "template.components.0"),
    (body_with({"type": "text", "text": ""}), "template.components.0.parameters.0.text"),
    (body_with({"type": "text", "text": "a\nb"}), "template.components.0.parameters.0"),
    (body_with({"type": "text", "text": "a\tb"}), "template.components.0.parameters.0"),
    (body_with({"type": "text", "text": "a     b"}), "template.components.0.parameters.0"),
    (body_with({"type": "currency", "currency": {}}), "template.components.0.parameters.0.currency.fallback_value"),
    (body_with({"type": "image", "image": {}}), "template.components.0.parameters.0.image"),
    (body_with({"type": "coupon_code", "coupon_code": "x" * 21}), "template.components.0.parameters.0.coupon_code"),
    (body_with({"text": "no type"}), "template.components.0.parameters.0.type"),
]


@pytest.mark.parametrize(("template", "path"), BAD)
def test_what_meta_would_refuse_is_refused_with_its_path(template: Any, path: str) -> None:
    assert refused(template)[0][0] == path


def test_a_footer_is_refused_with_the_reason() -> None:
    ((_, sentence),) = refused({"name": "a", "language": "en", "footer": "x"})
    assert sentence == "A footer takes no parameters: its text is fixed in the template."


@pytest.mark.parametrize("value", [" ", "\u200b", "\u00a0\u2060", "\ufeff \u200e"])
def test_a_value_that_cannot_be_seen_is_refused(value: str) -> None:
    with pytest.raises(ValidationError, match="visible character"):
        parse_reply({"type": "template", "template": {"name": "a", "language": "en_US", "body": [value]}})
