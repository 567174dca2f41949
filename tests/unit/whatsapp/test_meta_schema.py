"""Our JSON matches Meta's OpenAPI description; a table gives the reason for each deviation.

The description is not part of the project; without it these tests skip.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import jsonschema
import pytest
import yaml

from wa_service.whatsapp.outbound.messages import MarkAsRead, parse_message

DESCRIPTION = Path(__file__).parents[4] / "shared" / "meta" / "business-messaging-api_v23.0.yaml"

pytestmark = pytest.mark.skipif(not DESCRIPTION.exists(), reason="Meta's OpenAPI description is not beside the project")

DEVIATIONS = [
    # path in the message, the schema's rule, the deciding section of our reference, the reason
    (r"", "additionalProperties", "2.1", "biz_opaque_callback_data and recipient are newer than the description"),
    (r"", "required", "2.9", "a business-scoped user id goes into recipient, and to is left out"),
    (r"location/(latitude|longitude)", "type", "2.3", "numbers are accepted, too"),
    (r"contacts", "maxItems", "2.3", "Meta's pages allow 257 cards, the description 5"),
    (r"contacts/0/phones/0/type", "enum", "2.3", "CELL and others are in Meta's samples"),
    (r"interactive/body/text", "maxLength", "2.4", "the body of a list may have 4096 characters"),
    (r"interactive/type", "enum", "2.5", "types that are missing in the description"),
    (r"interactive/action", "oneOf", "2.5", "actions of the types that are missing in the description"),
    (r"template/language", "required", "3.1", "policy is optional"),
    (r"template/components/\d+/(type|sub_type)", "enum", "3.1", "kinds that are missing in the description"),
    (r"template/components/\d+/index", "pattern", "3.1", "the pattern allows neither 0 nor 1, which all templates use"),
    (r"template/components/\d+/index", "type", "3.1", "a number is accepted, too"),
    (r"template/components/\d+/parameters/\d+/type", "enum", "3.1", "kinds that are missing in the description"),
]

CARD = {
    "name": {"formatted_name": "Rui Costa", "first_name": "Rui"},
    "phones": [{"phone": "+351910000042", "type": "WORK", "wa_id": "351910000042"}],
    "emails": [{"email": "rui@example.org", "type": "WORK"}],
    "org": {"company": "Taxi 42"},
    "birthday": "1980-04-01",
}
BODY = {"text": "Which one?"}
BUTTON = {"type": "reply", "reply": {"id": "keep", "title": "Keep"}}
ROWS = [{"id": "exp", "title": "Express", "description": "Next day"}]
FLOW = {"flow_message_version": "3", "flow_id": "880000000042", "flow_cta": "Book"}
PRODUCTS = [{"title": "Shoes", "product_items": [{"product_retailer_id": "SKU-1"}]}]


def interactive(**content: Any) -> dict[str, Any]:
    return {"type": "interactive", "interactive": {"body": BODY, **content}}


def template(**values: Any) -> dict[str, Any]:
    return {"template": {"name": "order_update", "language": "en_GB", **values}}


CURRENCY = {"currency": {"fallback_value": "GBP 12.50", "code": "GBP", "amount_1000": 12500}}

MESSAGES: dict[str, dict[str, Any]] = {
    "text": {"text": {"body": "hi", "preview_url": True}},
    "reply": {"text": "hi", "context": {"message_id": "wamid.X"}},
    "with our id": {"text": "hi", "biz_opaque_callback_data": "rec-42"},
    "image": {"image": {"id": "77", "caption": "the view"}},
    "image by link": {"image": {"link": "https://files.example.org/a.jpg"}},
    "audio": {"audio": {"id": "77", "voice": True}},
    "video": {"video": {"link": "https://files.example.org/a.mp4", "caption": "waves"}},
    "document": {"document": {"id": "77", "filename": "a.pdf", "caption": "c"}},
    "sticker": {"sticker": {"id": "77"}},
    "location": {"location": {"latitude": "38.7", "longitude": "-9.1", "name": "Harbour", "address": "Rua 1"}},
    "location in numbers": {"location": {"latitude": 38.7, "longitude": -9.1}},
    "contacts": {"contacts": [CARD]},
    "six contacts": {"contacts": [CARD] * 6},
    "a mobile number": {"contacts": [{**CARD, "phones": [{"phone": "+351910000042", "type": "CELL"}]}]},
    "reaction": {"reaction": {"message_id": "wamid.X", "emoji": "🥐"}},
    "buttons": interactive(type="button", footer={"text": "Hotel"}, action={"buttons": [BUTTON]}),
    "image header": interactive(
        type="button", header={"type": "image", "image": {"id": "77"}}, action={"buttons": [BUTTON]}
    ),
    "list": interactive(
        type="list",
        header={"type": "text", "text": "Rooms"},
        action={"button": "Options", "sections": [{"title": "Fast", "rows": ROWS}]},
    ),
    "long list": interactive(
        type="list", body={"text": "x" * 4096}, action={"button": "Options", "sections": [{"rows": ROWS}]}
    ),
    "link": interactive(
        type="cta_url", action={"name": "cta_url", "parameters": {"display_text": "Open", "url": "https://a.example"}}
    ),
    "flow": interactive(type="flow", action={"name": "flow", "parameters": FLOW}),
    "product": interactive(type="product", action={"catalog_id": "1", "product_retailer_id": "SKU-1"}),
    "products": interactive(
        type="product_list", header={"type": "text", "text": "Picks"}, action={"catalog_id": "1", "sections": PRODUCTS}
    ),
    "catalogue": interactive(
        type="catalog_message",
        action={"name": "catalog_message", "parameters": {"thumbnail_product_retailer_id": "SKU-1"}},
    ),
    "location request": interactive(type="location_request_message"),
    "address": interactive(type="address_message", action={"name": "address_message", "parameters": {"country": "IN"}}),
    "template": template(),
    "template with policy": {"template": {"name": "hello", "language": {"code": "en", "policy": "deterministic"}}},
    "template with values": template(
        header={"image": {"id": "77"}},
        body=["Ana", CURRENCY, {"date_time": {"fallback_value": "3 March"}}],
        buttons=[None, None, "A-77", {"quick_reply": "STOP"}],
    ),
    "first buttons": template(buttons=["A-77", {"copy_code": "S25"}]),
    "button by number": template(
        components=[{"type": "button", "sub_type": "url", "index": 2, "parameters": [{"type": "text", "text": "x"}]}]
    ),
    "template with an offer": template(
        components=[{"type": "limited_time_offer", "parameters": [{"type": "limited_time_offer"}]}]
    ),
    "to a user id": {"recipient": "US.13491208655302741918", "to": None, "text": "hi"},
}


@pytest.fixture(scope="module")
def schemas() -> dict[str, Any]:
    loader = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
    document = yaml.load(DESCRIPTION.read_text(encoding="utf-8"), Loader=loader)
    return document["components"]["schemas"]


class Lowering:
    """Plain JSON Schema from OpenAPI: references inlined, `allOf` merged, discriminators as conditions.

    The description combines `allOf` with `additionalProperties: false`, which, taken literally, forbids every message;
    it means the merged object.
    """

    def __init__(self, schemas: Mapping[str, Any]) -> None:
        self._schemas = schemas

    def of(self, name: str) -> dict[str, Any]:
        return self._lower(self._schemas[name])

    def _lower(self, node: Any, *, joined: bool = False) -> Any:
        if isinstance(node, list):
            return [self._lower(item) for item in node]
        if not isinstance(node, dict):
            return node
        if "$ref" in node:
            return self._lower(self._schemas[node["$ref"].rpartition("/")[2]], joined=joined)
        if "allOf" in node:
            return self._join([self._lower(part, joined=True) for part in node["allOf"]])
        if "discriminator" in node and not joined:
            choices = node["discriminator"]["mapping"].items()
            base = {} if "oneOf" in node else self._lower(node, joined=True)
            return {**base, "allOf": [self._choice(node, kind, ref) for kind, ref in choices]}
        kept = {key: value for key, value in node.items() if key not in ("discriminator", "description", "example")}
        return {key: self._lower(value) for key, value in kept.items()}

    def _choice(self, node: dict[str, Any], kind: str, ref: str) -> dict[str, Any]:
        name = node["discriminator"]["propertyName"]
        return {"if": {"properties": {name: {"const": kind}}}, "then": self._lower({"$ref": ref})}

    def _join(self, parts: list[dict[str, Any]]) -> dict[str, Any]:
        joined: dict[str, Any] = {"type": "object", "properties": {}, "required": []}
        for part in parts:
            joined["properties"].update(part.get("properties", {}))
            joined["required"] += part.get("required", [])
            if part.get("additionalProperties") is False:
                joined["additionalProperties"] = False
        return joined


def deviations(schema: Mapping[str, Any], payload: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    for error in jsonschema.Draft202012Validator(schema).iter_errors(payload):
        yield "/".join(str(step) for step in error.absolute_path), str(error.validator)


def allowed_by(where: str, rule: str) -> list[int]:
    return [row for row, (place, name, _, _) in enumerate(DEVIATIONS) if name == rule and re.fullmatch(place, where)]


def payload_of(name: str) -> dict[str, Any]:
    return parse_message({"to": "15551234567", **MESSAGES[name]}).payload()


@pytest.mark.parametrize("name", MESSAGES)
def test_what_we_send_is_what_meta_describes(schemas: Any, name: str) -> None:
    found = deviations(Lowering(schemas).of("Message"), payload_of(name))
    assert [item for item in found if not allowed_by(*item)] == []


def test_every_deviation_is_still_one(schemas: Any) -> None:
    schema = Lowering(schemas).of("Message")
    used = {row for name in MESSAGES for item in deviations(schema, payload_of(name)) for row in allowed_by(*item)}
    assert [DEVIATIONS[row] for row in range(len(DEVIATIONS)) if row not in used] == []


def test_the_judge_does_judge(schemas: Any) -> None:
    broken = {**payload_of("text"), "text": {"body": 7}}
    assert list(deviations(Lowering(schemas).of("Message"), broken)) == [("text/body", "type")]


@pytest.mark.parametrize("typing", [False, True])
def test_a_read_mark_is_what_meta_describes(schemas: Any, typing: Any) -> None:
    payload = MarkAsRead.of("wamid.X", typing=typing).payload()
    assert list(deviations(Lowering(schemas).of("MarkMessageRequestPayload"), payload)) == []
