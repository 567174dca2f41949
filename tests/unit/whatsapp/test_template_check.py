"""A template message is checked against the template's definition before it is sent."""

from __future__ import annotations

from typing import Any

import pytest

from wa_service.whatsapp.outbound.messages import TemplateMessage, parse_reply
from wa_service.whatsapp.outbound.templates import Template, build_components, check_against

DEFINITION = {
    "name": "order_update",
    "parameter_format": "POSITIONAL",
    "language": "en_GB",
    "status": "APPROVED",
    "category": "UTILITY",
    "components": [
        {"type": "HEADER", "format": "TEXT", "text": "Order {{1}}"},
        {"type": "BODY", "text": "Hi {{1}}, it ships {{2}}."},
        {"type": "FOOTER", "text": "Reply STOP to end"},
        {
            "type": "BUTTONS",
            "buttons": [
                {"type": "URL", "text": "Track", "url": "https://a.example/t/{{1}}"},
                {"type": "QUICK_REPLY", "text": "Stop"},
                {"type": "URL", "text": "Home", "url": "https://a.example/"},
                {"type": "PHONE_NUMBER", "text": "Call", "phone_number": "+1"},
            ],
        },
    ],
}
VALUES: dict[str, Any] = {"header": "A-77", "body": ["Ana", "today"], "buttons": ["A-77", {"quick_reply": "STOP"}]}


def template(name: str = "order_update", language: Any = "en_GB", **values: Any) -> Any:
    components = build_components(**(values or VALUES))
    return Template(name=name, language={"code": language}, components=components)


def check(definition: Any = DEFINITION, **values: Any) -> Any:
    return check_against(template(**values), definition)


def defined(*components: Any, **more: Any) -> Any:
    return {**DEFINITION, "components": list(components), **more}


def test_a_fitting_message_has_no_problems() -> None:
    assert check() == []


def test_a_quick_reply_may_be_left_out() -> None:
    assert check(**{**VALUES, "buttons": ["A-77"]}) == []


def test_metas_other_spelling_of_a_language_is_the_same() -> None:
    assert check_against(template(), {**DEFINITION, "language": "en-GB"}) == []


def test_the_template_may_be_given_as_json() -> None:
    assert check_against(template().as_json(), DEFINITION) == []


def test_a_message_can_be_asked_itself() -> None:
    message = parse_reply({"type": "template", "template": template(name="other").as_json()})
    assert isinstance(message, TemplateMessage)
    assert message.check_against(DEFINITION) == ["The name is not that of the definition."]


PROBLEMS = [
    ({"name": "other"}, "The name is not that of the definition."),
    ({"language": "pt_PT"}, "The template exists in the language en_GB, not in pt_PT."),
]


@pytest.mark.parametrize(("change", "sentence"), PROBLEMS)
def test_another_name_or_language(change: Any, sentence: str) -> None:
    assert check_against(template(**VALUES, **change), DEFINITION) == [sentence]


@pytest.mark.parametrize("status", ["REJECTED", "DISABLED", "PENDING"])
def test_a_template_that_is_not_approved(status: Any) -> None:
    (problem,) = check_against(template(), {**DEFINITION, "status": status})
    assert status in problem


@pytest.mark.parametrize("status", ["PAUSED", "paused", "REINSTATED"])
def test_a_template_that_is_or_will_be_active_again_fits(status: str) -> None:
    assert check_against(template(), {**DEFINITION, "status": status}) == []


VALUE_PROBLEMS = [
    ({"header": None}, "header: has 1 variable(s), but 0 parameter(s) were given."),
    ({"header": {"image": {"id": "1"}}}, "header: takes texts, not image."),
    ({"body": ["Ana"]}, "body: has 2 variable(s), but 1 parameter(s) were given."),
    ({"body": ["Ana", "b", "c"]}, "body: has 2 variable(s), but 3 parameter(s) were given."),
    (
        {"body": {"a": "x", "b": "y"}},
        "body: the template's variables are positional, so parameter_name may not be given.",
    ),
    ({"buttons": []}, "button 0: of type url needs a parameter."),
    ({"buttons": ["a", "b"]}, "button 1: is of type quick_reply in the template, not url."),
    ({"buttons": ["a", None, "b"]}, "button 2: its URL is fixed and takes no parameter."),
    ({"buttons": ["a", None, None, None, "b"]}, "button 4: the template has 4, counted from 0."),
]


@pytest.mark.parametrize(("change", "sentence"), VALUE_PROBLEMS)
def test_values_that_do_not_fit(change: Any, sentence: str) -> None:
    assert check(**{**VALUES, **change}) == [sentence]


@pytest.mark.parametrize("format_", ["IMAGE", "VIDEO", "DOCUMENT", "LOCATION", "PRODUCT"])
def test_a_media_header_needs_its_format(format_: Any) -> None:
    definition = defined({"type": "HEADER", "format": format_}, {"type": "BODY", "text": "Hi"})
    assert check(definition, header="text") == [f"header: needs a parameter of type {format_.lower()}, not text."]
    assert check(definition, body=[]) == [f"header: needs exactly one parameter, of type {format_.lower()}."]
    assert check(definition, header={format_.lower(): {"id": "1"}}) == []


def test_a_header_that_the_template_has_not() -> None:
    assert check(defined({"type": "BODY", "text": "Hi"}), header="x") == ["header: the template has none."]


NAMED = defined({"type": "BODY", "text": "Hi {{first_name}}, {{code}}"}, parameter_format="NAMED")


def test_named_variables_in_any_order() -> None:
    assert check(NAMED, body={"code": "S25", "first_name": "Ana"}) == []


def test_a_wrong_name_is_told_with_the_missing_one() -> None:
    assert check(NAMED, body={"code": "S25", "name": "Ana"}) == [
        "body: no parameter is named first_name.",
        "body: the template has no variable named name.",
    ]


def test_positions_in_place_of_names() -> None:
    assert check(NAMED, body=["Ana", "S25"]) == ["body: no parameter is named first_name, code."]


def test_a_variable_that_stands_twice_is_one() -> None:
    assert check(defined({"type": "BODY", "text": "{{1}} and {{1}}"}), body=["x"]) == []


AUTHENTICATION = defined(
    {"type": "BODY", "text": "*{{1}}* is your code.", "add_security_recommendation": True},
    {"type": "BUTTONS", "buttons": [{"type": "OTP", "otp_type": "COPY_CODE", "text": "Copy"}]},
)


def test_a_one_time_code_fits_an_authentication_template() -> None:
    assert check(AUTHENTICATION, one_time_code="482913") == []


OTP = {"type": "BUTTONS", "buttons": [{"type": "OTP", "otp_type": "COPY_CODE", "text": "Copy"}]}


@pytest.mark.parametrize(
    "body", [{"type": "BODY"}, {"type": "BODY", "text": "Your code:"}, {"type": "FOOTER"}], ids=str
)
def test_an_authentication_template_takes_a_code_whatever_its_list_says(body: Any) -> None:
    definition = defined(body, OTP, category="AUTHENTICATION")
    assert check(definition, one_time_code="482913") == []
    given = [{"type": "body", "parameters": [{"type": "text", "text": "1" * 16}]}]
    message = {"name": DEFINITION["name"], "language": {"code": DEFINITION["language"]}, "components": given}
    assert "body: a one-time code has at most 15 characters." in check_against(message, definition)


def test_an_authentication_template_needs_the_code_in_its_button() -> None:
    assert check(AUTHENTICATION, body=["482913"]) == ["button 0: of type otp needs a parameter."]


@pytest.mark.parametrize("type_", ["copy_code", "mpm"])
def test_buttons_that_always_need_a_parameter(type_: str) -> None:
    definition = defined({"type": "BODY", "text": "Hi"}, {"type": "BUTTONS", "buttons": [{"type": type_.upper()}]})
    assert check(definition, body=[]) == [f"button 0: of type {type_} needs a parameter."]


CARD = {"components": [{"type": "HEADER", "format": "IMAGE"}, {"type": "BODY", "text": "{{1}}"}]}
CAROUSEL = defined({"type": "BODY", "text": "Hi"}, {"type": "CAROUSEL", "cards": [CARD, CARD]})


def test_a_carousel_fits_card_by_card() -> None:
    card = {"header": {"image": {"id": "1"}}, "body": ["Aloe"]}
    assert check(CAROUSEL, carousel=[card, card]) == []


def test_the_cards_of_a_carousel_may_come_in_any_order() -> None:
    other = {"components": [{"type": "HEADER", "format": "VIDEO"}, {"type": "BODY", "text": "{{1}}, {{2}}"}]}
    definition = defined({"type": "BODY", "text": "Hi"}, {"type": "CAROUSEL", "cards": [CARD, other]})
    first = {"card_index": 0, "components": build_components(header={"image": {"id": "1"}}, body=["Aloe"])}
    second = {"card_index": "1", "components": build_components(header={"video": {"id": "2"}}, body=["Fern", "new"])}
    assert check(definition, carousel=[first, second]) == check(definition, carousel=[second, first]) == []
    without_index = [{"components": card["components"]} for card in (first, second)]
    given = [{"type": "carousel", "cards": without_index}]
    assert check_against({"name": "order_update", "language": {"code": "en_GB"}, "components": given}, definition) == []


def test_a_carousel_needs_all_its_cards() -> None:
    card = {"header": {"image": {"id": "1"}}, "body": ["Aloe"]}
    assert check(CAROUSEL, carousel=[card]) == ["carousel: has 2 card(s), but 1 were given."]


def test_a_broken_card_is_named() -> None:
    good, bad = {"header": {"image": {"id": "1"}}, "body": ["Aloe"]}, {"header": {"image": {"id": "1"}}}
    assert check(CAROUSEL, carousel=[good, bad]) == ["card 1 body: has 1 variable(s), but 0 parameter(s) were given."]


def test_an_offer_needs_its_end() -> None:
    offer = {"type": "limited_time_offer", "limited_time_offer": {"text": "Soon", "has_expiration": True}}
    definition = defined({"type": "BODY", "text": "Hi"}, offer)
    assert check(definition, body=[]) == ["The limited_time_offer needs its expiration_time_ms."]
    assert check(definition, limited_time_offer=1790000000000) == []


def test_a_special_part_that_the_template_has_not() -> None:
    definition = defined({"type": "BODY", "text": "Hi"})
    assert check(definition, limited_time_offer=1) == ["The template has no limited_time_offer."]


@pytest.mark.parametrize("definition", [{}, {"components": None}, {"components": [1, {"buttons": 3}]}])
def test_a_broken_definition_never_raises(definition: Any) -> None:
    assert isinstance(check_against(template(), definition), list)


NAMED_HEADER = {
    **DEFINITION,
    "parameter_format": "NAMED",
    "components": [
        {"type": "HEADER", "format": "TEXT", "text": "Order {{order_id}}"},
        {"type": "BODY", "text": "Hi {{first_name}}"},
    ],
}


@pytest.mark.parametrize(
    ("header", "sentences"),
    [
        ({"order_id": "A-77"}, []),
        ("A-77", ["header: no parameter is named order_id."]),
        (
            {"order_no": "A-77"},
            ["header: no parameter is named order_id.", "header: the template has no variable named order_no."],
        ),
    ],
)
def test_the_header_of_a_named_template_is_checked_like_its_body(header: Any, sentences: list[str]) -> None:
    given = build_components(header=header, body={"first_name": "Ana"})
    template = {"name": DEFINITION["name"], "language": {"code": DEFINITION["language"]}, "components": given}
    assert check_against(template, NAMED_HEADER) == sentences


def test_the_header_of_a_positional_template_takes_no_name() -> None:
    definition = {**DEFINITION, "components": [{"type": "HEADER", "format": "TEXT", "text": "Order {{1}}"}]}
    given = build_components(header={"order_id": "A-77"})
    template = {"name": DEFINITION["name"], "language": {"code": DEFINITION["language"]}, "components": given}
    assert check_against(template, definition) == [
        "header: the template's variables are positional, so parameter_name may not be given."
    ]


@pytest.mark.parametrize(("length", "sentences"), [(15, 0), (16, 1)])
def test_a_one_time_code_is_short_whichever_way_it_is_given(length: int, sentences: int) -> None:
    body = {"type": "BODY", "text": "{{1}} is your code.", "add_security_recommendation": True}
    definition = {**DEFINITION, "components": [body]}
    given = [{"type": "body", "parameters": [{"type": "text", "text": "1" * length}]}]
    template = {"name": DEFINITION["name"], "language": {"code": DEFINITION["language"]}, "components": given}
    assert len(check_against(template, definition)) == sentences
