"""The JSON Schema of `POST /v1/messages`, from the models that validate it and the rules they add in code.

It leaves out what JSON Schema cannot express (ids that differ within a message, a template's definition).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Final

from pydantic.json_schema import models_json_schema

from wa_service.service.send_request import DIRECT_CATEGORIES, LONGEST_TAG, SEND_AT
from wa_service.whatsapp.outbound.messages import TYPES

REF: Final = "#/components/schemas/{model}"
# Two of the accepted formats; no pattern describes which other spellings are unambiguous.
NUMBER: Final = r"^(\+?[1-9][0-9]{6,14}|\+1 \([2-9][0-9]{2}\) [0-9]{3}-[0-9]{4})$"
USER_ID: Final = r"^[A-Z]{2}\.(ENT\.)?[A-Za-z0-9]{1,128}$"
GROUP_ID: Final = r"^[!-~]{1,256}$"
_ONE_LINE: Final = r"^(?![\s\S]*(\n|\r|\t| {5}))[\s\S]+$"

Schema = dict[str, Any]


def message_schemas(numbers: Sequence[str], longest_ttl: int) -> dict[str, Schema]:
    """Return the components, `SendMessage` among them. `numbers` are ours; `longest_ttl` in seconds."""
    _, generated = models_json_schema([(model, "validation") for model in TYPES.values()], ref_template=REF)
    schemas: dict[str, Schema] = generated["$defs"]
    for name in ("MediaObject", "CaptionedMedia", "DocumentMedia", "AudioMedia"):
        schemas[name]["oneOf"] = [_given("id", type=["string", "integer"]), _given("link")]
    schemas["CardName"]["anyOf"] = [
        _given(part, minLength=1) for part in ("first_name", "middle_name", "last_name", "prefix", "suffix")
    ]
    schemas["TextParameter"]["properties"]["text"]["pattern"] = _ONE_LINE
    schemas["LocationContent"]["properties"]["latitude"] = _degrees(90, "0?90", "0?[0-8]?[0-9]")
    schemas["LocationContent"]["properties"]["longitude"] = _degrees(180, "180", "1[0-7][0-9]|0?[0-9]?[0-9]")
    schemas["ReactionMessage"]["properties"]["context"] = {"type": "null"}
    schemas["TextMessage"]["properties"]["text"] = _either(
        "TextBody", {"type": "string", "minLength": 1, "maxLength": 4096}
    )
    schemas["TemplateMessage"]["properties"]["template"] = _either("Template", _short_template())
    schemas["TemplateMessage"]["properties"]["fallback_template"] = {"type": "null"}
    schemas["OtherMessage"] = _other()
    for name, model in TYPES.items():
        _take_envelope_out(schemas[model.__name__], name)
    schemas["Envelope"] = _envelope(numbers, longest_ttl)
    schemas["Recipient"] = _recipient()
    contents = [_ref(name) for name in [*(model.__name__ for model in TYPES.values()), "OtherMessage"]]
    schemas["SendMessage"] = {
        "title": "SendMessage",
        "description": "Meta's message object, and fields of ours beside it: see `Envelope`.",
        "allOf": [_ref("Envelope"), _ref("Recipient"), {"anyOf": contents}],
        "examples": [{"to": "+15551234567", "text": "hello"}],
    }
    schemas["ReadMarkOfMeta"] = _read_mark(numbers)
    return schemas


def _read_mark(numbers: Sequence[str]) -> Schema:
    return {
        "description": "Meta's own body that marks a customer's message, and all before it, as read.",
        "type": "object",
        "properties": {
            "messaging_product": {"const": "whatsapp"},
            "status": {"const": "read"},
            "message_id": {"type": "string", "minLength": 1, "maxLength": 1024},
            "typing_indicator": _or_null({"type": "object", "properties": {"type": {"const": "text"}}}),
            "from": {"enum": [*numbers, None]} if numbers else {"type": ["string", "null"]},
            "type": {"type": "null"},
        },
        "required": ["status", "message_id"],
    }


def _take_envelope_out(schema: Schema, type_: str) -> None:
    """Remove what `Envelope` and `Recipient` describe; without `type` the one known content field implies it."""
    for name in ("messaging_product", "recipient_type", "to", "recipient", "biz_opaque_callback_data"):
        del schema["properties"][name]
    schema["properties"]["type"] = _or_null({"const": type_})
    # Not `false`, which means the same: generators of clients refuse a schema that is no object.
    others: Schema = {name: {"not": {}} for name in TYPES if name != type_}
    schema["anyOf"] = [
        {"properties": {"type": {"const": type_}}, "required": ["type"]},
        {"properties": {"type": {"type": "null"}, **others}},
    ]


def _envelope(numbers: Sequence[str], longest_ttl: int) -> Schema:
    template = _either("Template", _short_template())
    return {
        "type": "object",
        "properties": {
            "messaging_product": {"const": "whatsapp"},
            "biz_opaque_callback_data": _or_null({"type": "string", "maxLength": 512}),
            "from": {
                **({"enum": [*numbers, None]} if numbers else {"type": ["string", "null"]}),
                "description": "Our phone number id; default: the first one.",
            },
            "ttl": _or_null(
                {
                    "type": "integer",
                    "minimum": 1,
                    "maximum": longest_ttl,
                    "description": "Seconds that the message may wait to be sent.",
                }
            ),
            "send_at": {
                "anyOf": [
                    {"type": "string", "format": "date-time", "pattern": f"^{SEND_AT}$"},
                    {"type": "number", "minimum": 0, "description": "Unix seconds."},
                    {"type": "null"},
                ],
                "description": "When to send the message, a few weeks ahead at most; its `ttl` counts from then on.",
            },
            "take": {
                "type": ["boolean", "null"],
                "description": "Send although another application owns the customer's thread; this takes the thread.",
            },
            "despite_stop": {
                "type": ["boolean", "null"],
                "description": "Send marketing despite the customer's STOP; requires the role `admin`.",
            },
            "category": {
                "enum": [*DIRECT_CATEGORIES, None],
                "description": "Meta's Direct Send: Meta creates the template, and the message needs no service "
                "window. For a text, an image, video or document, or an interactive message to one customer.",
            },
            "tag": _or_null(
                {"type": "string", "minLength": 1, "maxLength": LONGEST_TAG, "description": "Your label, for lists."}
            ),
            "fallback_template": _or_null(
                {**template, "description": "Sent instead if the service window turns out to be closed."}
            ),
        },
    }


def _recipient() -> Schema:
    number = {
        "type": "string",
        "pattern": NUMBER,
        "description": "A phone number in any usual spelling, with its country code.",
    }
    user = {"type": "string", "pattern": USER_ID, "description": "A business-scoped user id."}
    one = {"recipient_type": {"const": "individual"}}
    return {
        "anyOf": [
            {"properties": {**one, "to": number, "recipient": _or_null(user)}, "required": ["to"]},
            {"properties": {**one, "to": _or_null(number), "recipient": user}, "required": ["recipient"]},
            {
                "properties": {
                    "recipient_type": {"const": "group"},
                    "to": {"type": "string", "pattern": GROUP_ID, "description": "A group's id."},
                    "recipient": {"type": "null"},
                },
                "required": ["recipient_type", "to"],
            },
        ]
    }


def _other() -> Schema:
    known: list[str] = list(TYPES)
    return {
        "description": "A type that this service does not know is passed on as it is.",
        "type": "object",
        "properties": {"type": {"type": "string", "minLength": 1, "maxLength": 64, "not": {"enum": known}}},
        "required": ["type"],
    }


def _short_template() -> Schema:
    """Return the schema of a template's short form: plain values for its variables."""
    value = {"type": "string", "maxLength": 2000, "pattern": _ONE_LINE}
    return {
        "title": "ShortTemplate",
        "type": "object",
        "properties": {
            "name": {"type": "string", "pattern": r"^\S{1,512}$"},
            "language": {"type": "string", "minLength": 2, "maxLength": 20},
            "header": {**value, "description": 'A text, or an object such as {"image": {"id": "…"}}.'},
            "body": {"type": "array", "items": value, "description": "The values of {{1}}, {{2}} …"},
            "buttons": {"type": "array", "items": _or_null(value), "description": "One per button, null for none."},
        },
        "required": ["name", "language"],
    }


def _degrees(limit: int, at: str, below: str) -> Schema:
    """Return the schema of degrees up to `limit`; `at` and `below` match whole degrees at the limit and below it."""
    text = {
        "type": "string",
        "pattern": rf"^[+-]?(({below})(\.[0-9]{{0,20}})?|{at}(\.0{{0,20}})?|\.[0-9]{{1,20}})$",
    }
    return {"anyOf": [{"type": "number", "minimum": -limit, "maximum": limit}, text]}


def _given(field: str, **more: Any) -> Schema:
    return {"required": [field], "properties": {field: {"type": "string"} | more}}


def _either(name: str, other: Schema) -> Schema:
    return {"anyOf": [_ref(name), other]}


def _or_null(schema: Schema) -> Schema:
    return {"anyOf": [schema, {"type": "null"}]}


def _ref(name: str) -> Mapping[str, str]:
    return {"$ref": REF.format(model=name)}
