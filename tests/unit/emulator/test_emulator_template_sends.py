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
    "long one-time code": (131009, "buttons: the code is longer than 15 characters.", code("1" * 16)),
}


@pytest.mark.parametrize(("wanted", "details", "body"), REFUSED.values(), ids=REFUSED)
def test_wrong_parameters_are_refused_in_metas_words(
    meta: Emulator, wanted: int, details: str, body: dict[str, Any]
) -> None:
    assert refusal(meta, body) == (400, wanted, details)


def test_a_carousel_needs_all_its_cards(meta: Emulator) -> None:
    body = template("plant_carousel", {"type": "carousel", "cards": []})
    assert refusal(meta, body)[:2] == (400, 132000)


def test_only_the_deterministic_policy_exists(meta: Emulator) -> None:
    body = template("hello_world")
    body["template"]["language"]["policy"] = "fallback"
    found = error(meta.send(body))["message"]
    assert found == "(#100) Param template['language']['policy'] must be one of {DETERMINISTIC}."
