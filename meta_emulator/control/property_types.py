"""Types of the control API's answers and paths, by name, for its OpenAPI description."""

from __future__ import annotations

from typing import Any, Final

from meta_emulator.behaviour import Behaviour
from meta_emulator.limits import LimitSettings
from meta_emulator.property_check import PHONE_PATTERN, Properties
from meta_emulator.seed import NumberProperties, PhoneProperties

Schema = dict[str, Any]

_NAMES: Final[dict[str, str]] = {
    "string": "access_token app_id app_secret batching call_id callback_url filename id mime_type sha256 subject "
    "verify_token name language category",
    "integer": "contacts cursor duplicates pending read size skipped timers total version",
    "number": "ahead drain now rate refusing seconds waited",
    "boolean": "ended held ok removed reset settled shuffle statuses",
    "array": "components",
    "object": "accepted added busiest_second clock endpoints kinds message outcomes phone webhooks",
}
_TYPES: Final[dict[str, Schema]] = {name: {"type": kind} for kind, names in _NAMES.items() for name in names.split()}
_TYPES["error"] = {"type": ["string", "null"]}
_TYPES["body"] = {"type": ["string", "null"]}
_TYPES["status"] = {"type": "string"}
_TYPES["phone_number_ids"] = {"type": "array", "items": {"type": "string"}}
_TYPES["messages"] = {"type": "array", "items": {"type": "object"}}
_TYPES["numbers"] = {"type": "array", "items": {"type": "object"}}
_TYPES["participants"] = {"type": "array", "items": {"type": "string"}}
for _name in (
    "accounts",
    "conversations",
    "exchanges",
    "faults",
    "groups",
    "phones",
    "sends",
    "spent",
    "steps",
    "templates",
):
    _TYPES[_name] = {"type": "array", "items": {"type": "object"}}

# Names with another type in one operation: (operation, name).
_ELSEWHERE: Final[dict[tuple[str, str], Schema]] = {
    ("POST /business_app/history", "messages"): {"type": "integer"},
    ("POST /load", "conversations"): {"type": "integer"},
    ("GET /state", "numbers"): {"type": "array"},
    **{
        (f"POST /webhooks/{each}", "status"): {"type": ["integer", "null"], "description": "HTTP status."}
        for each in ("handshake", "post", "test")
    },
}

_TEXT_OR_NONE: Final[Schema] = {"type": ["string", "null"]}


def type_of(operation: str, name: str) -> Schema:
    """Return a property's schema; raise KeyError for a name without one. `operation`: method and path of the route."""
    return _ELSEWHERE.get((operation, name)) or _TYPES[name]


def path_type(kind: str, name: str) -> Schema:
    """Return the schema of a part of a path; ``kind`` is Flask's converter."""
    if kind == "int":
        return {"type": "integer", "minimum": 0}
    if name == "wa_id":
        return {"type": "string", "pattern": PHONE_PATTERN}
    return {"type": "string", "pattern": "^[^/]+$"}


def _of(properties: type[Properties]) -> dict[str, Schema]:
    found: dict[str, Schema] = properties.model_json_schema()["properties"]
    return {name: {"type": schema["type"]} for name, schema in found.items() if "type" in schema}


PHONE: Final[dict[str, Schema]] = {
    "wa_id": {"type": "string"},
    **_of(PhoneProperties),
    "user_id": _TEXT_OR_NONE,
    "parent_user_id": _TEXT_OR_NONE,
    "username": _TEXT_OR_NONE,
}
NUMBER: Final[dict[str, Schema]] = {
    "id": {"type": "string"},
    **_of(NumberProperties),
    "test_recipients": {"type": ["array", "null"], "items": {"type": "string"}},
}
BEHAVIOUR: Final[dict[str, Schema]] = _of(Behaviour)
LIMITS: Final[dict[str, Schema]] = _of(LimitSettings)
NAMED: Final[dict[str, dict[str, Schema]]] = {
    "the phone": PHONE,
    "the number": NUMBER,
    "the template": {name: _TYPES[name] for name in ("id", "name", "language", "category", "status", "components")},
    "the group": {name: _TYPES[name] for name in ("id", "subject", "participants")},
}
"""Objects that docstrings refer to by name."""
WHOLE: Final[dict[str, dict[str, Schema]]] = {
    "GET /limits": LIMITS,
    "POST /limits": LIMITS,
    "GET /behaviour": BEHAVIOUR,
    "POST /behaviour": BEHAVIOUR,
    "GET /phones/<wa_id>": PHONE,
    "POST /phones": PHONE,
    "PATCH /phones/<wa_id>": PHONE,
    "POST /numbers": NUMBER,
    "PATCH /numbers/<number_id>": NUMBER,
}
"""Operations that return one of these objects."""
