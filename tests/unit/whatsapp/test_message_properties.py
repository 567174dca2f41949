"""Model → JSON → model is the identity and loses nothing that a caller gave."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import ValidationError

from wa_service.whatsapp.outbound.messages import TYPES, parse_message, parse_reply, problems
from wa_service.whatsapp.outbound.templates import check_against

BOUNDED = settings(max_examples=50, deadline=None)

JSON = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**53), 2**53) | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=6), inner, max_size=3),
    max_leaves=6,
)
IDS = st.text("abcdefghij0123456789", min_size=1, max_size=12)
SHORT = st.text(min_size=1, max_size=20)
NUMBERS = st.from_regex(r"44[1-9][0-9]{4,12}", fullmatch=True)
USER_IDS = st.from_regex(r"[A-Z]{2}\.[0-9]{1,20}", fullmatch=True)
MEDIA = st.builds(lambda id_: {"id": id_}, IDS) | st.just({"link": "https://files.example.org/a"})
ROW = st.fixed_dictionaries({"title": SHORT}, optional={"description": SHORT})
VISIBLE = st.characters(exclude_categories=["Cc", "Cf", "Cs", "Zs", "Zl", "Zp"])
LINE = st.text(VISIBLE, min_size=1, max_size=20)


def listed(rows: Any) -> Any:
    return [{**row, "id": f"r{place}"} for place, row in enumerate(rows)]


CONTENTS = {
    "text": st.fixed_dictionaries({"body": SHORT}, optional={"preview_url": st.booleans()}),
    "image": MEDIA,
    "audio": MEDIA.map(lambda media: {**media, "voice": True}),
    "video": MEDIA,
    "document": MEDIA.map(lambda media: {**media, "filename": "a.pdf"}),
    "sticker": MEDIA,
    "location": st.fixed_dictionaries(
        {"latitude": st.floats(-90, 90) | st.just("1.5"), "longitude": st.floats(-180, 180)}, optional={"name": SHORT}
    ),
    "contacts": st.lists(
        st.builds(lambda name: {"name": {"formatted_name": name, "first_name": name}}, SHORT), min_size=1, max_size=3
    ),
    "reaction": st.fixed_dictionaries({"message_id": IDS, "emoji": st.text(max_size=2)}),
    "interactive": st.builds(
        lambda text, button, rows: {
            "type": "list",
            "body": {"text": text},
            "action": {"button": button, "sections": [{"rows": listed(rows)}]},
        },
        SHORT,
        SHORT,
        st.lists(ROW, min_size=1, max_size=10),
    ),
    "template": st.builds(
        lambda name, values: {
            "name": name,
            "language": {"code": "en_GB"},
            "components": [{"type": "body", "parameters": [{"type": "text", "text": value} for value in values]}],
        },
        st.from_regex(r"[a-z0-9_]{1,20}", fullmatch=True),
        st.lists(LINE, max_size=3),
    ),
}
ENVELOPES = st.fixed_dictionaries(
    {}, optional={"biz_opaque_callback_data": st.text(max_size=20), "a_field_of_tomorrow": JSON}
)


def test_every_type_is_tried() -> None:
    assert CONTENTS.keys() == TYPES.keys()


@pytest.mark.parametrize("type_", CONTENTS)
@settings(max_examples=10, deadline=None)
@given(data=st.data())
def test_model_to_json_to_model_is_the_identity(type_: str, data: Any) -> None:
    whom = data.draw(NUMBERS.map(lambda to: {"to": to}) | USER_IDS.map(lambda user: {"recipient": user}))
    given_ = {**whom, **data.draw(ENVELOPES), "type": type_, type_: data.draw(CONTENTS[type_])}
    message = parse_message(given_)
    payload = message.payload()
    assert parse_message(payload) == message
    assert payload == {"messaging_product": "whatsapp", "recipient_type": "individual", **given_}


@BOUNDED
@given(content=JSON, type_=st.text(min_size=1, max_size=10).filter(lambda name: name not in TYPES))
def test_a_type_of_tomorrow_passes_whatever_it_holds(content: Any, type_: str) -> None:
    envelope = {"messaging_product", "recipient_type", "to", "recipient", "type", "context", "biz_opaque_callback_data"}
    if type_ not in envelope:
        assert parse_message({"to": "15551234567", "type": type_, type_: content}).payload()[type_] == content


@BOUNDED
@given(obj=st.dictionaries(st.sampled_from([*TYPES, "type", "to", "context", "x"]), JSON, max_size=4))
def test_any_object_is_a_message_or_told_what_is_wrong(obj: Any) -> None:
    for read in (parse_message, parse_reply):
        try:
            read(obj).payload()
        except ValidationError as error:
            told = problems(error)
            assert told
            assert all(sentence.endswith(".") for _, sentence in told)


PLACES = st.sampled_from(
    ["components", "type", "buttons", "text", "parameters", "parameter_name", "cards", "index", "sub_type", "format"]
)
TYPES_OF_PARTS = st.sampled_from(["HEADER", "BODY", "BUTTONS", "CAROUSEL", "button", "header", "body", "url", "IMAGE"])
TEMPLATE_JSON = st.recursive(
    st.none() | st.booleans() | st.integers(-3, 9) | TYPES_OF_PARTS | st.just("{{1}} {{name}}"),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(PLACES, inner, max_size=4),
    max_leaves=12,
)


@settings(max_examples=30, deadline=None)
@given(template=st.dictionaries(PLACES, TEMPLATE_JSON), definition=st.dictionaries(PLACES, TEMPLATE_JSON))
def test_any_template_against_any_definition_is_told_in_sentences(template: Any, definition: Any) -> None:
    assert all(sentence.endswith(".") for sentence in check_against(template, definition))
