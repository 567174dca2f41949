"""Malformed Graph calls: one value of a valid call at a time is wrong, and Meta's error answers, never a 500."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any
from urllib.parse import parse_qsl, urlencode, urlsplit

import pytest

from tests.hostile_shapes import places, replaced
from tests.unit.emulator.emulated import ACCOUNT, ANA, APP, NUMBER, Emulator, error
from tests.unit.emulator.test_emulator_interactive import TAKEN
from tests.unit.emulator.test_emulator_template_sends import code, order, part, quick_reply, sale, template

WRONG: list[Any] = [None, "x", "²", -1, 1e300, ["x"], {"type": ["x"]}, [{}]]
CARD_PARTS: list[dict[str, Any]] = [
    part("header", {"type": "image", "image": {"link": "https://a.example/a.png"}}),
    part("body", {"type": "text", "text": "Aloe"}),
    quick_reply("more", "0"),
]
CAROUSEL = {"type": "carousel", "cards": [{"card_index": place, "components": CARD_PARTS} for place in range(2)]}
AMOUNT = {"type": "currency", "currency": {"fallback_value": "GBP 1", "code": "GBP", "amount_1000": 1000}}
DAY = {"type": "date_time", "date_time": {"fallback_value": "3 March"}}
NAME = {"formatted_name": "Ana", "first_name": "Ana"}
CARD = {"name": NAME, "phones": [{"phone": "+351912000111", "type": "CELL"}]}

SENDS: dict[str, dict[str, Any]] = {
    "text": {"type": "text", "text": {"body": "x", "preview_url": True}, "context": {"message_id": "wamid.X="}},
    "to a user id": {"recipient": "GB.1", "type": "text", "text": {"body": "x"}, "to": None},
    "image": {"type": "image", "image": {"link": "https://a.example/a.png", "caption": "x"}},
    "document": {"type": "document", "document": {"id": "1", "filename": "a.pdf"}},
    "location": {"type": "location", "location": {"latitude": "5", "longitude": 1, "name": "x", "address": "x"}},
    "contacts": {"type": "contacts", "contacts": [CARD]},
    "reaction": {"type": "reaction", "reaction": {"message_id": "wamid.X=", "emoji": "x"}},
    "pin": {
        "recipient_type": "group",
        "to": "77",
        "type": "pin",
        "pin": {"type": "pin", "message_id": "wamid.X=", "expiration_days": 7},
    },
    "read": {"status": "read", "message_id": "wamid.X=", "typing_indicator": {"type": "text"}},
    "direct send": {"type": "text", "text": {"body": "x"}, "category": "utility"},
    "template": order(quick_reply("STOP"), body=part("body", AMOUNT, DAY)),
    "template with names": sale(),
    "one-time code": code(),
    "carousel template": template("plant_carousel", CAROUSEL),
    **{f"interactive {name}": {"type": "interactive", "interactive": content} for name, content in TAKEN.items()},
}

BODY = {"type": "BODY", "text": "Hello {{1}}, good day.", "example": {"body_text": [["Ana"]]}}
URL = {"type": "URL", "text": "Open", "url": "https://a.example/{{1}}", "example": ["https://a.example/1"]}
CARD_DEFINITION = {
    "components": [
        {"type": "HEADER", "format": "IMAGE", "example": {"header_handle": ["4::x"]}},
        BODY,
        {"type": "BUTTONS", "buttons": [URL]},
    ]
}
DEFINITION = {
    "name": "a_name",
    "language": "en",
    "category": "MARKETING",
    "parameter_format": "POSITIONAL",
    "message_send_ttl_seconds": 60,
    "components": [
        {"type": "HEADER", "format": "TEXT", "text": "Order {{1}}", "example": {"header_text": ["A-77"]}},
        BODY,
        {"type": "FOOTER", "text": "Acme"},
        {"type": "BUTTONS", "buttons": [URL, {"type": "QUICK_REPLY", "text": "Stop"}]},
    ],
}
CAROUSEL_DEFINITION = {**DEFINITION, "components": [BODY, {"type": "CAROUSEL", "cards": [CARD_DEFINITION] * 2}]}
OVERRIDE = {"override_callback_uri": "", "verify_token": "x"}
WRITES: dict[str, tuple[str, dict[str, Any]]] = {
    "new template": (f"{ACCOUNT}/message_templates", DEFINITION),
    "new carousel template": (f"{ACCOUNT}/message_templates", CAROUSEL_DEFINITION),
    "profile": (
        f"{NUMBER}/whatsapp_business_profile",
        {"messaging_product": "whatsapp", "about": "x", "websites": ["https://a.example"]},
    ),
    "number": (NUMBER, {"webhook_configuration": OVERRIDE}),
    "account": (ACCOUNT, {"name": "x", "disable_marketing_messages_on_cloud_api": False}),
    "subscription": (f"{ACCOUNT}/subscribed_apps", OVERRIDE),
    "registration": (f"{NUMBER}/register", {"messaging_product": "whatsapp", "pin": "123456"}),
    "block": (f"{NUMBER}/block_users", {"messaging_product": "whatsapp", "block_users": [{"user": "+1 555 010 2031"}]}),
    "thread control": (
        f"{NUMBER}/thread_control",
        {"messaging_product": "whatsapp", "recipient": ANA, "action": "pass", "target": "x"},
    ),
    "coexistence": (f"{NUMBER}/smb_app_data", {"messaging_product": "whatsapp", "sync_type": "history"}),
    **{
        name: (f"{NUMBER}/messages", {"messaging_product": "whatsapp", "to": f"+{ANA}", **body})
        for name, body in SENDS.items()
    },
    "marketing message": (f"{NUMBER}/marketing_messages", {"messaging_product": "whatsapp", "to": f"+{ANA}", **sale()}),
}


def malformed(body: dict[str, Any]) -> Iterator[tuple[tuple[Any, ...], Any, dict[str, Any]]]:
    """Yield the body with each of its values replaced by each wrong one, and where that is."""
    for place in places(body):
        if place:
            for wrong in WRONG:
                yield place, wrong, replaced(body, place, wrong)


@pytest.fixture
def lenient(meta: Emulator) -> Emulator:
    """Return an emulator without limits, with a group of Ana's."""
    meta.do("limits", {"throughput": False, "pair": False})
    meta.do("groups", {"id": "77", "participants": [ANA]})
    return meta


@pytest.mark.parametrize(("path", "body"), WRITES.values(), ids=WRITES)
def test_a_malformed_call_gets_metas_error(lenient: Emulator, path: str, body: dict[str, Any]) -> None:
    broken = [(place, wrong) for place, wrong, call in malformed(body) if lenient.post(path, call).status_code >= 500]
    assert not broken


CAROUSEL_SEED = {
    "name": "a_name",
    "language": "en",
    "category": "MARKETING",
    "components": [{"type": "BODY", "text": "Hello"}, {"type": "CAROUSEL", "cards": [CARD_DEFINITION]}],
}
CARD_OF_SEED = {
    "card_index": 0,
    "components": [
        part("header", {"type": "image", "image": {"link": "https://a.example/a.png"}}),
        part("body", {"type": "text", "text": "Ana"}),
        part("button", {"type": "text", "text": "x"}, sub_type="url", index=0),
    ],
}


def test_a_malformed_template_of_a_seed_is_refused_or_can_be_sent(lenient: Emulator) -> None:
    send = template("a_name", {"type": "carousel", "cards": [CARD_OF_SEED]}, language="en")
    broken, sent = [], []
    for place, wrong, seed in malformed({"templates": [CAROUSEL_SEED]}):
        if lenient.control("POST", "seed", seed).status_code == 200:
            answers = [lenient.send(send), lenient.get(f"{ACCOUNT}/message_templates?content=x")]
            broken += [(place, wrong) for answer in answers if answer.status_code >= 500]
            sent.append(answers[0].status_code)
    assert not broken
    assert 200 in sent


@pytest.mark.parametrize("name", ["mid", "ext", "hash"])
def test_a_malformed_media_url_is_a_404(meta: Emulator, name: str) -> None:
    uploaded = meta.upload(b"x", "image/png").json["id"]
    url = urlsplit(meta.get(uploaded).json["url"])
    query = urlencode({**dict(parse_qsl(url.query)), name: "²"})
    assert meta.get(f"{url.path}?{query}", headers={"User-Agent": "x"}).status_code == 404


def test_a_malformed_offset_of_an_upload_is_error_100(meta: Emulator) -> None:
    session = meta.post(f"{APP}/uploads", {"file_length": 5, "file_type": "image/png"}).json["id"]
    answer = meta.graph("POST", session, data=b"x", headers={"file_offset": "²"})
    assert (answer.status_code, error(answer)["code"]) == (400, 100)


def test_a_malformed_appsecret_proof_is_error_100(meta: Emulator) -> None:
    answer = meta.get(f"{NUMBER}?appsecret_proof=%C2%B2")
    assert (answer.status_code, error(answer)["code"]) == (400, 100)


def test_a_malformed_event_id_replays_everything(meta: Emulator) -> None:
    answer = meta.control("GET", "events?after=%C2%B2")
    assert answer.status_code == 200
    answer.close()


@pytest.mark.parametrize("wrong", WRONG)
@pytest.mark.parametrize("name", ["buttons", "sections"])
def test_a_malformed_echo_has_no_buttons_or_rows(meta: Emulator, name: str, wrong: Any) -> None:
    for content in ({"type": "x", "action": {name: wrong}}, {"type": "x", "action": wrong}):
        echo = meta.do(f"phones/{ANA}/echo", {"type": "interactive", "interactive": content})["id"]
        answers = [
            meta.control("POST", f"phones/{ANA}/press", {"message_id": echo, "button": 0}),
            meta.control("POST", f"phones/{ANA}/pick", {"message_id": echo, "row": "x"}),
        ]
        assert [answer.status_code for answer in answers] == [409, 409]


@pytest.mark.parametrize(
    ("fields", "wanted"),
    [
        ("throughput{level}", {"throughput": {"level": "STANDARD"}}),
        ("health_status{can_send_message}", {"health_status": {"can_send_message": "AVAILABLE"}}),
        ("webhook_configuration{application}", {"webhook_configuration": {}}),
    ],
)
def test_a_field_of_an_object_without_an_id_can_be_selected(meta: Emulator, fields: str, wanted: Any) -> None:
    assert meta.get(f"{NUMBER}?fields={fields}").json == {**wanted, "id": NUMBER}


def test_the_callback_of_one_level_can_be_selected(meta: Emulator) -> None:
    meta.do("webhooks/callback", {"url": "https://a.example/hook"})
    found = meta.get(f"{NUMBER}?fields=webhook_configuration{{application}}").json
    assert found["webhook_configuration"] == {"application": "https://a.example/hook"}


@pytest.mark.parametrize(
    "fields", ["{", "a{", "id{", "id,", ",", "id{x}", "throughput{}", "throughput{x}", "components{x}"]
)
def test_malformed_fields_get_metas_error(meta: Emulator, fields: str) -> None:
    nodes = (NUMBER, ACCOUNT, APP, f"{ACCOUNT}/phone_numbers", f"{ACCOUNT}/message_templates")
    assert {meta.get(f"{node}?fields={fields}").status_code for node in nodes} <= {200, 400}
