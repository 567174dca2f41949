"""Every 200 response matches Meta's API description; skipped without that file, which is not part of the project."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import yaml
from jsonschema import Draft202012Validator
from werkzeug.test import TestResponse

from meta_emulator.envelopes import envelope, message_update, status_update
from tests.unit.emulator.emulated import ACCOUNT, ANA, APP, NUMBER, TOKEN, Emulator

DESCRIPTION = Path(__file__).parents[3].parent / "shared" / "meta" / "business-messaging-api_v23.0.yaml"

# Where the emulator follows captured traffic instead: (operation, path in the response) and the deciding section.
DEVIATIONS: dict[tuple[str, str], str] = {
    ("GET /{Media-ID}", "file_size"): "4.2: a number in captured traffic",
    ("GET /{WABA-ID}/phone_numbers", "data.*.status"): "8.1: CONNECTED is a number's status, LINKED is not",
}


@pytest.fixture(scope="module")
def description() -> dict[str, Any]:
    if not DESCRIPTION.is_file():
        pytest.skip(f"Meta's API description is not at {DESCRIPTION.name} beside the project")
    found: dict[str, Any] = yaml.load(DESCRIPTION.read_text(encoding="utf-8"), yaml.CSafeLoader)
    return found


Answer = Callable[[Emulator], TestResponse]
MESSAGE = {"messaging_product": "whatsapp", "to": ANA}
TEMPLATE = {"type": "template", "template": {"name": "hello_world", "language": {"code": "en_US"}}}
NEW = {
    "name": "thanks",
    "language": "en_US",
    "category": "UTILITY",
    "components": [{"type": "BODY", "text": "Thank you for your visit."}],
}
BLOCK = {"messaging_product": "whatsapp", "block_users": [{"user": ANA}]}
PNG = b"\x89PNG"


def media(meta: Emulator) -> str:
    return str(meta.upload(PNG, "image/png").json["id"])


def template(meta: Emulator) -> str:
    return str(meta.get(f"{ACCOUNT}/message_templates").json["data"][1]["id"])


def blocked(meta: Emulator) -> TestResponse:
    meta.post(f"{NUMBER}/block_users", BLOCK)
    return meta.get(f"{NUMBER}/block_users")


def profile(meta: Emulator) -> TestResponse:
    body = {"messaging_product": "whatsapp", "about": "Open", "websites": ["https://example.org"], "vertical": "RETAIL"}
    meta.post(f"{NUMBER}/whatsapp_business_profile", body)
    return meta.get(f"{NUMBER}/whatsapp_business_profile?fields=about,address,email,websites,vertical")


OPERATIONS: list[tuple[str, str, Answer]] = [
    ("POST /{Phone-Number-ID}/messages", "text", lambda m: m.text()),
    ("POST /{Phone-Number-ID}/messages", "template", lambda m: m.send(TEMPLATE)),
    (
        "POST /{Phone-Number-ID}/messages",
        "read",
        lambda m: m.post(
            f"{NUMBER}/messages", {"messaging_product": "whatsapp", "status": "read", "message_id": m.write()}
        ),
    ),
    ("POST /{Phone-Number-ID}/media", "", lambda m: m.upload(PNG, "image/png")),
    ("GET /{Media-ID}", "", lambda m: m.get(media(m))),
    ("DELETE /{Media-ID}", "", lambda m: m.graph("DELETE", media(m))),
    ("GET /{Phone-Number-ID}", "default", lambda m: m.get(NUMBER)),
    (
        "GET /{Phone-Number-ID}",
        "fields",
        lambda m: m.get(f"{NUMBER}?fields=id,name_status,quality_rating,code_verification_status"),
    ),
    ("POST /{Phone-Number-ID}", "", lambda m: m.post(NUMBER, {"pin": "123456"})),
    (
        "POST /{Phone-Number-ID}/register",
        "",
        lambda m: m.post(f"{NUMBER}/register", {"messaging_product": "whatsapp", "pin": "123456"}),
    ),
    ("POST /{Phone-Number-ID}/deregister", "", lambda m: m.post(f"{NUMBER}/deregister")),
    ("GET /{Phone-Number-ID}/whatsapp_business_profile", "", profile),
    (
        "POST /{Phone-Number-ID}/whatsapp_business_profile",
        "",
        lambda m: m.post(f"{NUMBER}/whatsapp_business_profile", {"messaging_product": "whatsapp", "about": "x"}),
    ),
    ("GET /{Phone-Number-ID}/block_users", "", blocked),
    ("POST /{Phone-Number-ID}/block_users", "", lambda m: m.post(f"{NUMBER}/block_users", BLOCK)),
    ("DELETE /{Phone-Number-ID}/block_users", "", lambda m: m.graph("DELETE", f"{NUMBER}/block_users", json=BLOCK)),
    ("GET /{WABA-ID}", "default", lambda m: m.get(ACCOUNT)),
    (
        "GET /{WABA-ID}",
        "fields",
        lambda m: m.get(
            f"{ACCOUNT}?fields=name,account_review_status,business_verification_status,ownership_type,country"
        ),
    ),
    ("POST /{WABA-ID}", "", lambda m: m.post(ACCOUNT, {"name": "Acme"})),
    ("GET /{WABA-ID}/phone_numbers", "", lambda m: m.get(f"{ACCOUNT}/phone_numbers")),
    ("GET /{WABA-ID}/message_templates", "", lambda m: m.get(f"{ACCOUNT}/message_templates?limit=3")),
    ("POST /{WABA-ID}/message_templates", "", lambda m: m.post(f"{ACCOUNT}/message_templates", NEW)),
    (
        "DELETE /{WABA-ID}/message_templates",
        "",
        lambda m: m.graph("DELETE", f"{ACCOUNT}/message_templates?name=hello_world"),
    ),
    ("GET /{TEMPLATE_ID}", "", lambda m: m.get(template(m))),
    ("POST /{TEMPLATE_ID}", "", lambda m: m.post(template(m), {"components": NEW["components"]})),
    ("POST /{WABA-ID}/subscribed_apps", "", lambda m: m.post(f"{ACCOUNT}/subscribed_apps")),
    ("GET /{WABA-ID}/subscribed_apps", "", lambda m: m.get(f"{ACCOUNT}/subscribed_apps")),
    ("DELETE /{WABA-ID}/subscribed_apps", "", lambda m: m.graph("DELETE", f"{ACCOUNT}/subscribed_apps")),
]


def problems(description: dict[str, Any], schema: dict[str, Any], value: Any) -> list[str]:
    """Return the dotted paths at which a value violates a schema; list indexes are ``*``."""
    whole = {"components": description["components"], **schema}
    found = Draft202012Validator(whole).iter_errors(value)
    paths = {".".join("*" if isinstance(part, int) else part for part in error.absolute_path) for error in found}
    return sorted(paths)


def schema_of(description: dict[str, Any], operation: str) -> dict[str, Any]:
    method, path = operation.split(" ", 1)
    answers = description["paths"]["/{Version}" + path][method.lower()]["responses"]
    answer = answers.get("200") or answers.get(200)
    while "$ref" in answer:
        target: Any = description
        for part in answer["$ref"].removeprefix("#/").split("/"):
            target = target[part]
        answer = target
    schema: dict[str, Any] = answer["content"]["application/json"]["schema"]
    return schema


@pytest.mark.parametrize(
    ("operation", "answer"), [(row[0], row[2]) for row in OPERATIONS], ids=[f"{row[0]} {row[1]}" for row in OPERATIONS]
)
def test_an_answer_fits_metas_schema(
    meta: Emulator, description: dict[str, Any], operation: str, answer: Answer
) -> None:
    told = answer(meta)
    assert told.status_code == 200, told.text
    known = [where for named, where in DEVIATIONS if named == operation]
    assert problems(description, schema_of(description, operation), told.json) == known


@pytest.mark.parametrize("named", sorted({operation for operation, _ in DEVIATIONS}))
def test_every_deviation_is_of_an_operation_that_is_tested(named: str) -> None:
    assert named in {row[0] for row in OPERATIONS}


# Meta merged two files: the webhooks' schemas were renamed where sending has a schema of that name, but references to
# them kept the old names. Restore the old names for the webhooks.
RENAMED = {
    "BaseMessageProperties": "BaseMessageProperties_1",
    "TextMessage": "TextMessage_2",
    "ContactObject": "ContactObject_1",
    "ErrorObject": "ErrorObject_2",
    **{f"{kind}Message": f"{kind}Message_1" for kind in ("Reaction", "Audio", "Document", "Image", "Sticker", "Video")},
    "LocationMessage": "LocationMessage_1",
}


@pytest.fixture(scope="module")
def webhook_description(description: dict[str, Any]) -> dict[str, Any]:
    schemas = description["components"]["schemas"]
    put_back = {name: schemas[renamed] for name, renamed in RENAMED.items()}
    return {"components": {"schemas": {**schemas, **put_back}}}


INBOUND: dict[str, dict[str, Any]] = {
    "text": {"type": "text", "text": {"body": "hi"}},
    "reply": {"type": "text", "text": {"body": "hi"}, "context": {"from": "15550783881", "id": "wamid.X"}},
    "reaction": {"type": "reaction", "reaction": {"message_id": "wamid.X", "emoji": "👍"}},
    "location": {
        "type": "location",
        "location": {"latitude": 1.5, "longitude": 2.5, "name": "Masp", "address": "Av. Paulista"},
    },
    "image": {"type": "image", "image": {"mime_type": "image/jpeg", "sha256": "x=", "id": "1", "url": "https://a"}},
    "interactive": {
        "type": "interactive",
        "interactive": {"type": "button_reply", "button_reply": {"id": "1", "title": "Yes"}},
        "context": {"from": "15550783881", "id": "wamid.X"},
    },
    "button": {
        "type": "button",
        "button": {"payload": "STOP", "text": "Stop"},
        "context": {"from": "15550783881", "id": "wamid.X"},
    },
}


INBOUND_DEVIATIONS = {"reply": "5.6: only a question about a product has referred_product, the schema wants it always"}


@pytest.mark.parametrize(("name", "body"), INBOUND.items(), ids=INBOUND)
def test_an_inbound_webhook_fits_metas_schema(
    meta: Emulator, webhook_description: dict[str, Any], name: str, body: dict[str, Any]
) -> None:
    world = meta.world
    message = {"from": ANA, "id": "wamid.Y", "timestamp": "1750000000", **body}
    payload = envelope([message_update(world.behaviour, world.numbers[NUMBER], world.phones[ANA], message)])
    found = problems(webhook_description, {"$ref": "#/components/schemas/WebhookPayload"}, payload)
    assert bool(found) is (name in INBOUND_DEVIATIONS)


@pytest.mark.parametrize("step", ["sent", "delivered", "read", "failed"])
@pytest.mark.parametrize("version", ["v23.0", "v24.0"])
def test_a_status_webhook_fits_metas_schema(
    meta: Emulator, description: dict[str, Any], step: str, version: str
) -> None:
    meta.do("behaviour", {"webhook_version": version})
    if step == "failed":
        meta.do("faults", {"kind": "failed_status", "code": 131049})
    world = meta.world
    about = world.messages[meta.sent({"type": "text", "text": {"body": "hi"}})]
    about.priced.clear()
    payload = envelope(
        [status_update(world.behaviour, world.numbers[NUMBER], world.phones[ANA], about, step, 1_750_000_000)]
    )
    assert problems(description, {"$ref": "#/components/schemas/WebhookPayload"}, payload) == []


def test_the_deviations_of_webhooks_are_of_bodies_that_are_tested() -> None:
    assert set(INBOUND_DEVIATIONS) <= set(INBOUND)


def test_debug_token_is_not_in_metas_description(meta: Emulator, description: dict[str, Any]) -> None:
    assert "debug_token" not in json.dumps(list(description["paths"]))
    assert meta.get(f"debug_token?input_token={TOKEN}").json["data"]["app_id"] == APP
