"""Outbound messages: violations of Meta's limits name path and reason; unknown fields are allowed."""

from __future__ import annotations

from typing import Any

import pytest
from pydantic import ValidationError

from wa_service.whatsapp.outbound.messages import (
    MarkAsRead,
    Message,
    TextMessage,
    parse_message,
    parse_reply,
    problems,
)

TO = "15551234567"


def refused(obj: Any) -> Any:
    with pytest.raises(ValidationError) as caught:
        parse_message(obj)
    return [tuple(problem) for problem in problems(caught.value)]


def refusal(type_: str, content: Any, **more: Any) -> Any:
    ((path, sentence),) = refused({"to": TO, "type": type_, type_: content, **more})
    return path, sentence


def test_the_number_is_sent_as_digits() -> None:
    assert parse_message({"to": "+1 555-123-4567", "text": "hi"}).payload()["to"] == TO


def test_a_user_id_goes_into_recipient() -> None:
    payload = parse_message({"recipient": "US.ENT.118000000000042", "text": "hi"}).payload()
    assert payload["recipient"] == "US.ENT.118000000000042"
    assert "to" not in payload


def test_a_group_id_is_sent_as_it_is() -> None:
    payload = parse_message({"recipient_type": "group", "to": "Y2FwaV9ncm91cDo0Mg==", "text": "hi"}).payload()
    assert (payload["recipient_type"], payload["to"]) == ("group", "Y2FwaV9ncm91cDo0Mg==")


@pytest.mark.parametrize(
    ("obj", "path"),
    [
        ({"text": "hi"}, "to"),
        ({"to": "12", "text": "hi"}, "to"),
        ({"to": 1555123.4567, "text": "hi"}, "to"),
        ({"recipient": "15551234567", "text": "hi"}, "recipient"),
        ({"recipient_type": "crowd", "to": TO, "text": "hi"}, "recipient_type"),
        ({"messaging_product": "telegram", "to": TO, "text": "hi"}, "messaging_product"),
        ({"to": TO}, "type"),
        ({"to": TO, "type": 7}, "type"),
        ({"to": TO, "type": ""}, "type"),
        ({"to": TO, "text": "a", "image": {"id": "1"}}, "type"),
        ({"to": TO, "type": "text"}, "text"),
        ({"to": TO, "text": 7}, "text"),
        ({"to": TO, "text": "hi", "context": {}}, "context.message_id"),
        ({"to": TO, "text": "hi", "biz_opaque_callback_data": "x" * 513}, "biz_opaque_callback_data"),
    ],
)
def test_a_broken_envelope_is_refused_with_its_path(obj: Any, path: str) -> None:
    assert [problem[0] for problem in refused(obj)] == [path]


def test_each_problem_is_a_plain_sentence() -> None:
    for obj in ({"to": TO, "text": 7}, {"to": "x", "text": "a"}, {"to": TO, "type": "image", "image": {}}):
        for _, sentence in refused(obj):
            assert sentence[0].isupper()
            assert sentence.endswith(".")
            assert "Value error" not in sentence


def test_a_short_text_becomes_metas_object() -> None:
    assert parse_message({"to": TO, "text": "hi"}).payload() == {
        "messaging_product": "whatsapp",
        "recipient_type": "individual",
        "to": TO,
        "type": "text",
        "text": {"body": "hi"},
    }


def test_unknown_fields_of_a_known_type_pass_unchanged() -> None:
    extra = {"to": TO, "text": {"body": "hi", "mood": None}, "type": "text", "priority": {"level": [1, None]}}
    payload = parse_message(extra).payload()
    assert payload["priority"] == {"level": [1, None]}
    assert payload["text"] == {"body": "hi", "mood": None}


def test_a_type_of_tomorrow_passes_unchanged() -> None:
    message = parse_message({"to": TO, "type": "hologram", "hologram": {"beam": [1, {"deep": None}]}})
    assert type(message) is Message
    assert message.payload()["hologram"] == {"beam": [1, {"deep": None}]}


def test_an_interactive_type_of_tomorrow_passes_unchanged() -> None:
    content = {"type": "voice_call", "body": {"text": "Talk"}, "action": {"name": "voice_call", "parameters": {"a": 1}}}
    assert parse_message({"to": TO, "type": "interactive", "interactive": content}).payload()["interactive"] == content


def deep(levels: int) -> Any:
    return {"a": deep(levels - 1)} if levels else 1


@pytest.mark.parametrize("content", [deep(300), b"bytes", object(), {1, 2}])
def test_what_cannot_be_written_as_json_is_refused(content: Any) -> None:
    ((path, sentence),) = refused({"to": TO, "type": "hologram", "hologram": content})
    assert (path, sentence) == ("", "The message must be JSON, nested less than 250 deep.")


def test_a_model_may_stand_inside_the_object() -> None:
    part = TextMessage(text={"body": "hi"}).text
    assert parse_message({"to": TO, "text": part}).payload()["text"] == {"body": "hi"}


def test_pydantic_s_own_text_does_not_repeat_what_was_given() -> None:
    with pytest.raises(ValidationError) as caught:
        parse_message({"to": TO, "text": {"body": ["secret words"]}})
    assert "secret words" not in str(caught.value)


def test_what_was_not_given_is_not_sent() -> None:
    payload = TextMessage(to=TO, text={"body": "hi", "preview_url": None}, context=None).payload()
    assert "context" not in payload
    assert payload["text"] == {"body": "hi"}


def test_a_message_cannot_be_changed() -> None:
    with pytest.raises(ValidationError):
        parse_message({"to": TO, "text": "hi"}).to = "other"  # type: ignore[misc]  # the assignment must fail


def test_a_script_s_reply_needs_no_recipient() -> None:
    assert parse_reply({"text": "hi"}).payload() == {
        "messaging_product": "whatsapp",
        "recipient_type": "individual",
        "type": "text",
        "text": {"body": "hi"},
    }


@pytest.mark.parametrize(
    ("address", "group", "whom"),
    [
        ("+15551234567", False, {"to": TO, "recipient_type": "individual"}),
        ("US.13491208655302741918", False, {"recipient": "US.13491208655302741918", "recipient_type": "individual"}),
        ("Y2FwaV9ncm91cDo0Mg==", True, {"to": "Y2FwaV9ncm91cDo0Mg==", "recipient_type": "group"}),
    ],
)
def test_a_reply_is_addressed_by_the_form_of_the_address(address: Any, group: Any, whom: Any) -> None:
    payload = parse_reply({"text": "hi"}).addressed_to(address, group=group).payload()
    assert {key: payload[key] for key in ("to", "recipient", "recipient_type") if key in payload} == whom


def test_addressing_again_leaves_nothing_of_the_first_address() -> None:
    message = parse_message({"to": TO, "text": "hi"}).addressed_to("US.13491208655302741918")
    assert message.to is None


GOOD = {
    "text": {"body": "x" * 4096, "preview_url": True},
    "image": {"link": "https://files.example.org/a.jpg", "caption": "c" * 1024},
    "audio": {"id": "77", "voice": True},
    "video": {"id": "77", "caption": "waves"},
    "document": {"link": "http://files.example.org/a.pdf", "filename": "a.pdf"},
    "sticker": {"id": "77"},
    "location": {"latitude": "38.70", "longitude": -9.13, "name": "Harbour", "address": "Rua 1"},
    "contacts": [{"name": {"formatted_name": "Rui Costa", "first_name": "Rui"}, "phones": [{"phone": "+351"}]}],
    "reaction": {"message_id": "wamid.X", "emoji": ""},
}


@pytest.mark.parametrize("type_", GOOD)
def test_each_plain_type_is_sent_as_given(type_: str) -> None:
    message = parse_message({"to": TO, "type": type_, type_: GOOD[type_]})
    assert type(message) is not Message
    assert message.payload()[type_] == GOOD[type_]


@pytest.mark.parametrize("type_", GOOD)
def test_the_content_alone_names_its_type(type_: str) -> None:
    assert parse_message({"to": TO, type_: GOOD[type_]}).type == type_


BAD = [
    ("text", {"body": ""}, "text.body"),
    ("text", {"body": "x" * 4097}, "text.body"),
    ("text", {"body": "x", "preview_url": "yes"}, "text.preview_url"),
    ("text", {}, "text.body"),
    ("image", {}, "image"),
    ("image", {"id": "1", "link": "https://a.example"}, "image"),
    ("image", {"id": ""}, "image.id"),
    ("image", {"link": "ftp://a.example/a.jpg"}, "image.link"),
    ("image", {"id": "1", "caption": "c" * 1025}, "image.caption"),
    ("audio", {"id": "1", "voice": "yes"}, "audio.voice"),
    ("image", {"id": True}, "image.id"),
    ("image", {"id": -1}, "image.id"),
    ("location", {"latitude": "1.", "longitude": "1e1"}, "location"),
    ("document", {"id": "1", "filename": "f" * 241}, "document.filename"),
    ("sticker", {}, "sticker"),
    ("location", {"latitude": 91, "longitude": 0}, "location"),
    ("location", {"latitude": "north", "longitude": 0}, "location"),
    ("location", {"latitude": "091", "longitude": 0}, "location"),
    ("location", {"latitude": ".", "longitude": 0}, "location"),
    ("location", {"latitude": 0, "longitude": 181}, "location"),
    ("location", {"latitude": 0}, "location.longitude"),
    ("location", {"latitude": True, "longitude": 0}, "location.latitude"),
    ("location", {"latitude": 0, "longitude": ["1"]}, "location.longitude"),
    ("contacts", [], "contacts"),
    ("contacts", [{"name": {"formatted_name": "Rui"}}], "contacts.0.name"),
    (
        "contacts",
        [{"name": {"formatted_name": "Rui", "first_name": "Rui"}, "birthday": "1.4.1980"}],
        "contacts.0.birthday",
    ),
    ("contacts", [{}], "contacts.0.name"),
    ("reaction", {"emoji": "x"}, "reaction.message_id"),
    ("reaction", {"message_id": "wamid.X"}, "reaction.emoji"),
]


@pytest.mark.parametrize(("type_", "content", "path"), BAD)
def test_what_meta_would_refuse_is_refused_with_its_path(type_: str, content: Any, path: str) -> None:
    assert refusal(type_, content)[0] == path


AS_PEOPLE_WRITE_IT = [
    ("location", {"latitude": "37.44216251868683", "longitude": "-122.16153582049394"}),
    ("location", {"latitude": "+37.4", "longitude": "7."}),
    ("location", {"latitude": "05.25", "longitude": "-.1277"}),
    ("text", {"body": "x", "preview_url": "true"}),
    ("image", {"id": 1013859600285441}),
    ("image", {"link": "HTTPS://files.example.org/a.jpg"}),
    ("audio", {"id": "1", "voice": "false"}),
    ("template", {"name": "Order-Update", "language": {"code": "en"}}),
    ("interactive", {"type": "product", "action": {"catalog_id": 1, "product_retailer_id": 7}}),
]


@pytest.mark.parametrize(("type_", "content"), AS_PEOPLE_WRITE_IT)
def test_what_only_meta_can_judge_is_sent_as_it_was_given(type_: str, content: Any) -> None:
    assert parse_message({"to": TO, "type": type_, type_: content}).payload()[type_] == content


def test_an_envelope_of_nulls_is_as_good_as_none() -> None:
    nulls = {"messaging_product": None, "recipient_type": None, "context": None, "recipient": None, "type": None}
    assert parse_message({"to": TO, "text": "hi", **nulls}) == parse_message({"to": TO, "text": "hi"})


def test_an_empty_number_beside_a_user_id_is_none() -> None:
    assert parse_message({"to": "", "recipient": "US.1349", "text": "hi"}).address == "US.1349"


def test_a_limit_is_named_in_the_sentence() -> None:
    assert refusal("text", {"body": "x" * 4097}) == ("text.body", "At most 4096 characters are allowed.")


def test_an_emoji_is_one_character() -> None:
    parse_message({"to": TO, "text": "🥐" * 4096})


def test_a_reaction_is_no_reply() -> None:
    (problem,) = refused({"to": TO, "reaction": GOOD["reaction"], "context": {"message_id": "wamid.Y"}})
    assert problem[1] == "A reaction names its message itself and takes no context."


def test_the_problems_do_not_repeat_what_was_given() -> None:
    assert "secret words" not in str(refused({"to": TO, "text": {"body": ["secret words"]}}))


def test_a_read_mark() -> None:
    assert MarkAsRead.of("wamid.X").payload() == {
        "messaging_product": "whatsapp",
        "status": "read",
        "message_id": "wamid.X",
    }


def test_a_read_mark_with_typing() -> None:
    assert MarkAsRead.of("wamid.X", typing=True).payload()["typing_indicator"] == {"type": "text"}


def test_a_read_mark_needs_a_message() -> None:
    with pytest.raises(ValidationError):
        MarkAsRead.of("")


@pytest.mark.parametrize(
    ("given", "sent"), [("a\u202e/b/c.pdf", "c.pdf"), ("c:\\d\x00.pdf", "d.pdf"), ("\x9e", None), ("a/", None)]
)
def test_a_document_s_name_has_no_folders_and_no_control_characters(given: str, sent: str | None) -> None:
    message = parse_message({"to": "447700900123", "document": {"id": "1", "filename": given}})

    assert message.payload()["document"].get("filename") == sent
