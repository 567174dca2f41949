"""Types of the properties in bodies and answers of the control API, by name, for its OpenAPI description."""

from __future__ import annotations

from dataclasses import fields
from typing import Any, Final

from meta_emulator.behaviour import Behaviour
from meta_emulator.seed import NUMBER_PROPERTIES, PHONE_PROPERTIES

Schema = dict[str, Any]

_JSON: Final[dict[type, str]] = {str: "string", int: "integer", float: "number", bool: "boolean", list: "array"}

_NAMES: Final[dict[str, str]] = {
    "string": "access_token action announce app_id app_secret batching call_id callback_url customer digits display "
    "details emoji field id message_id mime_type new_role owner phase_name phone_number_id previous_role reason "
    "sha256 state subject text url user_id parent_user_id value_name verified_name verify_token wa_id name language "
    "category",
    "integer": "chunk_order code contacts cursor daily duplicates hits n pending phase progress read size skipped "
    "timers total version unread",
    "number": "advance ahead drain now quiet rate refusing seconds timeout waited at",
    "boolean": "all ended held include_from ok pair removed reset send_statuses settled shuffle statuses "
    "test_numbers throughput window",
    "array": "accounts components conversations exchanges faults groups message_ids participants phones sends spent "
    "steps templates wa_ids",
    "object": "accepted added busiest_second clock endpoints kinds message outcomes phone threads webhooks",
}
_TYPES: Final[dict[str, Schema]] = {name: {"type": kind} for kind, names in _NAMES.items() for name in names.split()}
_TYPES["button"] = {"type": ["integer", "string"], "description": "Its position from 0, id, payload or text."}
_TYPES["row"] = {"type": "string", "description": "Its id or title."}
_TYPES["error"] = {"type": ["string", "null"]}
_TYPES["body"] = {"type": ["string", "null"]}
_TYPES["status"] = {"type": "string"}
_TYPES["value"] = {"type": ["string", "object"]}
_TYPES["phone_number_ids"] = {"type": "array", "items": {"type": "string"}}
_TYPES["messages"] = {"type": "array", "items": {"type": "object"}}
_TYPES["numbers"] = {"type": "array", "items": {"type": "object"}}
_TYPES["participants"] = {"type": "array", "items": {"type": "string"}}
_TYPES["message_ids"] = _TYPES["wa_ids"] = {"type": "array", "items": {"type": "string"}}
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

# Where a name means something else in one call: operation, then name.
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


def _of(properties: dict[str, type]) -> dict[str, Schema]:
    return {name: {"type": _JSON[kind]} for name, kind in properties.items()}


PHONE: Final[dict[str, Schema]] = {
    "wa_id": {"type": "string"},
    **_of(PHONE_PROPERTIES),
    "user_id": _TEXT_OR_NONE,
    "parent_user_id": _TEXT_OR_NONE,
    "username": _TEXT_OR_NONE,
}
NUMBER: Final[dict[str, Schema]] = {
    "id": {"type": "string"},
    **_of(NUMBER_PROPERTIES),
    "test_recipients": {"type": ["array", "null"], "items": {"type": "string"}},
}
BEHAVIOUR: Final[dict[str, Schema]] = {
    each.name: {"type": "number" if isinstance(each.default, float) else _JSON[type(each.default)]}
    for each in fields(Behaviour)
}
LIMITS: Final[dict[str, Schema]] = {
    name: _TYPES[name] for name in ("throughput", "pair", "window", "test_numbers", "daily")
}
NAMED: Final[dict[str, dict[str, Schema]]] = {
    "the phone": PHONE,
    "the number": NUMBER,
    "the template": {name: _TYPES[name] for name in ("id", "name", "language", "category", "status", "components")},
    "the group": {name: _TYPES[name] for name in ("id", "subject", "participants")},
}
"""What an answer calls by its name."""
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
"""Calls whose body, and answer, is one of these objects."""
