"""Templates of replies: what they may do, and that none can block the event loop."""

from __future__ import annotations

import time
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from jinja2 import TemplateSyntaxError
from jinja2.exceptions import TemplateError

from wa_service.conversation.templating import MAX_VALUE, TemplateTooLongError, TextTemplate

ITEMS = [{"quantity": 2, "name": "tea"}, {"quantity": 3, "name": "cup"}]
VARIABLES: dict[str, Any] = {
    "text": "hello there",
    "name": "Ana Lima",
    "intent": "greeting",
    "contact": {"addresses": ["1", "2"]},
    "message": {
        "type": "text",
        "order": {"product_items": [{"quantity": 2, "name": "tea"}, {"quantity": 3, "name": "cup"}]},
        "form": {"values": {"items": "three"}},
    },
}

FINE = {
    "{{ name }}": "Ana Lima",
    "{{ name.split()[0]|upper }}": "ANA",
    "{{ text ~ '! ' ~ 3 }}": "hello there! 3",
    "{% if message.type == 'text' %}yes{% else %}no{% endif %}": "yes",
    "{{ message.order.product_items|lines('$quantity × $name, $nobody') }}": "2 × tea, $nobody\n3 × cup, $nobody",
    "{{ message.nobody|lines('$x') }}": "",
    "{{ contact.addresses|join(', ') }}": "1, 2",
    "{{ message.nobody.home }}": "",
    "{{ message.form.values.items }} {{ message.form.values.values()|join }}": "three three",
    "{{ message.form.get('values').items }} {{ message.keys()|first }}": "three type",
    "{{ message.form.missing is defined }} {{ name.upper() }}": "False ANA LIMA",
    "{{ message.nobody|default('none') }}": "none",
    "{{ text|replace('hello', 'bye') }}": "bye there",
    "{{ 2 * 3 + 1 }}": "7",
    "{{ 2.345|round(2, 'floor') }}": "2.34",
    "{{ 1234|round(-2) }}": "1200",
    "{{ (['a', 'b']|reverse)|join }}": "ba",
    "no placeholder, 100 %": "no placeholder, 100 %",
    "{# for staff #}no placeholder\n": "no placeholder",
    "one { of }\n{% raw %}{{ name }}{% endraw %}": "one { of }\n{{ name }}",
}

NOT_ALLOWED = {
    "a huge power": "{{ range(10**9)|list }}",
    "a macro": "{% macro a() %}{{ a() }}{% endmacro %}{{ a() }}",
    "an import": "{% import 'x' as x %}",
    "an include": "{% include '/etc/passwd' %}",
    "a block": "{% block a %}{% endblock %}",
    "a method that pads": "{{ text.center(10) }}",
    "a method that formats": "{{ '{:>99999}'.format(1) }}",
    "a call of a call": "{{ text['upper']() }}",
    "a list of lists by doubling": "{% set x = [text, text] %}",
    "a loop": "{% for x in text %}{{ x }}{% endfor %}",
    "an assignment": "{% set x = text %}",
    "a range": "{{ range(10) }}",
    "an unknown filter": "{{ text|center(9999) }}",
    "an unknown variable": "{{ nmae }}",
    "an unknown test": "{{ text is filter }}",
    "an open end": "{{ name",
    "forty loops in each other": "{% for a in text %}" * 40 + "{% endfor %}" * 40,
    "a pile of brackets": "{{ " + "(" * 2_000 + "1" + ")" * 2_000 + " }}",
    "a long text": "{{ name }}" * 1_000,
}

BOMBS = {
    "a text by replacing": "{{ text" + "|replace('e', text)" * 60 + " }}",
    "a text by joining": "{{ text" + "|list|join(text)" * 60 + " }}",
    "a text by multiplying": "{{ 'a' * 1000000000 }}",
    "a text by its format": "{{ '%0999999999d' % 1 }}",
    "a text by adding": "{{ text" + " + text" * 60 + " }}",
    "a number by multiplying": "{{ 9" + " * 999999" * 60 + " }}",
    "lines of lines": "{{ message.order.product_items|lines(text)" + "|list|join(text)" * 9 + " }}",
    "a long output": "{{ text }}" * 819,
    "a power by rounding up": "{{ 1|round(10000000, 'ceil') }}",
    "a power by rounding down": "{{ 1|round(-10000000, 'floor') }}",
    "a power of the customer's": "{{ 1|round('9999999'|int, 'ceil') }}",
}


def render(source: str) -> str:
    return TextTemplate(source).render(VARIABLES)


@pytest.mark.parametrize(("source", "expected"), FINE.items())
def test_what_a_reply_needs_works(source: str, expected: str) -> None:
    assert render(source) == expected


@pytest.mark.parametrize("source", NOT_ALLOWED.values(), ids=NOT_ALLOWED.keys())
def test_what_no_reply_needs_is_refused_when_it_is_read(source: str) -> None:
    with pytest.raises(TemplateSyntaxError):
        TextTemplate(source)


@pytest.mark.parametrize("source", BOMBS.values(), ids=BOMBS.keys())
def test_a_bomb_is_stopped_within_its_time(source: str) -> None:
    template = TextTemplate(source)
    began = time.thread_time()

    with pytest.raises(TemplateError):
        template.render({**VARIABLES, "text": "hello there " * 50})

    assert time.thread_time() - began < 2.0


def test_a_filter_that_jinja2_asserts_about_fails_like_any_other() -> None:
    with pytest.raises(TemplateError, match="AssertionError"):
        render("{{ text|truncate(2) }}")


def test_a_private_attribute_is_empty() -> None:
    assert render("{{ text.__class__.__mro__ }}") == ""


def test_a_mapping_cannot_be_printed_whole() -> None:
    with pytest.raises(TemplateError, match="a dict cannot be printed"):
        render("{{ message }}")


def test_a_huge_value_from_outside_is_not_worked_on() -> None:
    huge = {**VARIABLES, "text": "x" * (MAX_VALUE + 1)}

    with pytest.raises(TemplateTooLongError):
        TextTemplate("{{ text|upper }}").render(huge)


@pytest.mark.parametrize("source", ["{{ text|round }}", "{{ message[text] > 5 }}", "{{ message[text]|int }}"])
def test_an_error_in_a_template_does_not_quote_the_customer(source: str) -> None:
    with pytest.raises(TemplateError) as caught:
        TextTemplate(source).render({**VARIABLES, "text": "my secret"})

    assert "secret" not in str(caught.value)


def test_the_line_of_a_mistake_is_known() -> None:
    with pytest.raises(TemplateSyntaxError) as caught:
        TextTemplate("one\ntwo\n{{ nmae }}")

    assert caught.value.lineno == 3


@given(st.text(alphabet="{}%|()[]'\"~+*., abtextnamefor in range(9)setifend", max_size=80))
def test_whatever_is_written_it_is_a_text_or_a_template_error(source: str) -> None:
    try:
        rendered = render(source)
    except TemplateError:
        return
    assert isinstance(rendered, str)
