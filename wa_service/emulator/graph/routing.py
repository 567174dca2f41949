"""Which handler answers which object, edge and method (reference 8)."""

from __future__ import annotations

from collections.abc import Callable

from flask import Response

from wa_service.emulator.errors import GraphError, unknown_path, unsupported_request

from . import messages
from .call import Call, JsonObject

Handler = Callable[[Call], "JsonObject | Response"]

_NUMBER: dict[tuple[str, str], Handler] = {
    ("POST", "messages"): messages.send,
}

_TABLES: dict[str, dict[tuple[str, str], Handler]] = {"number": _NUMBER}


def kind_of(call: Call) -> str:
    """What the first path component names; empty where it names nothing here."""
    world, object_id = call.world, call.object_id
    if object_id in world.numbers:
        return "number"
    return ""


def find_handler(call: Call) -> Handler | GraphError:
    """The handler, or the error that Meta gives where there is none."""
    table = _TABLES.get(kind_of(call))
    if table is None:
        return unsupported_request(call.method, call.object_id)
    handler = table.get((call.method, call.edge))
    if handler is not None:
        return handler
    if call.edge and not any(edge == call.edge for _, edge in table):
        return unknown_path(call.edge)
    return unsupported_request(call.method, call.object_id)


def endpoint_of(call: Call) -> str:
    """The name under which faults know this call."""
    kind = kind_of(call)
    if kind == "number" and call.edge in ("messages", "marketing_messages"):
        return "read" if call.params.get("status") == "read" else "messages"
    return "nodes"
