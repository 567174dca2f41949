"""Field selection and paging of Graph nodes and edges (reference 1.7)."""

from __future__ import annotations

import base64
import re
from typing import Any
from urllib.parse import urlencode

from meta_emulator.errors import GraphError, parameter
from meta_emulator.graph.call import Call, JsonObject

_NAME = re.compile(r"\s*([A-Za-z0-9_]+)((?:\.[A-Za-z0-9_]+\([^)]*\))*)\s*")
_MAXIMUM = 100


def select(node: JsonObject, fields: str, defaults: tuple[str, ...], node_type: str) -> JsonObject:
    """Return the requested fields, or ``defaults``, and always ``id`` if the node has one.

    Fields with the value None are left out. A field that the node type does not have is error 100.
    """
    wanted = parse_fields(fields) or [(name, "") for name in defaults]
    chosen: JsonObject = {}
    for name, inner in wanted:
        if name not in node:
            raise GraphError(
                100, message=f"(#100) Tried accessing nonexistent field ({name}) on node type ({node_type})"
            )
        value = node[name]
        if isinstance(value, dict):
            value = _expanded(value, inner, node_type)
        if value is not None:
            chosen[name] = value
    if "id" in node:
        chosen["id"] = node["id"]
    return chosen


def filtered(call: Call, nodes: list[JsonObject], fields: tuple[str, ...]) -> list[JsonObject]:
    """Return the nodes that fit ``filtering``: objects of ``field``, ``operator`` (EQUAL) and ``value`` in a list."""
    rules = call.nested("filtering") or []
    if not isinstance(rules, list) or not all(isinstance(rule, dict) for rule in rules):
        raise parameter("Param filtering must be an array of objects.")
    for rule in rules:
        if rule.get("field") not in fields or rule.get("operator") != "EQUAL":
            raise parameter(f"Param filtering must have the operator EQUAL and a field of {{{', '.join(fields)}}}.")
    return [
        node
        for node in nodes
        if all(str(node[rule["field"]]).lower() == str(rule.get("value")).lower() for rule in rules)
    ]


def parse_fields(text: str) -> list[tuple[str, str]]:
    """Parse ``a,b{c,d},e.f(1)`` to pairs of a name and the text between its braces."""
    found: list[tuple[str, str]] = []
    position = 0
    text = text.strip()
    while position < len(text):
        match = _NAME.match(text, position)
        if match is None:
            raise parameter("Syntax error in fields: Expected name.")
        position = match.end()
        inner = ""
        if text[position : position + 1] == "{":
            end = _closing(text, position)
            inner, position = text[position + 1 : end], end + 1
        found.append((match[1], inner))
        if position < len(text):
            if text[position] != ",":
                raise parameter("Syntax error in fields: Expected end of string.")
            position += 1
    return found


def page(call: Call, items: list[JsonObject], default: int = 25) -> JsonObject:
    """Return one page of a list with cursors; ``next`` and ``previous`` only if there is more.

    ``items`` must have ``id``, which the cursors encode.
    """
    limit = min(max(call.integer("limit", default), 1), _MAXIMUM)
    start = 0
    if after := call.text("after"):
        start = _position(call, items, after) + 1
    elif before := call.text("before"):
        end = _position(call, items, before)
        start = max(end - limit, 0)
        limit = end - start
    shown = items[start : start + limit]
    answer: JsonObject = {"data": shown}
    if shown:
        first, last = _cursor(shown[0]), _cursor(shown[-1])
        paging: JsonObject = {"cursors": {"before": first, "after": last}}
        if start + limit < len(items):
            paging["next"] = _url(call, {"after": last})
        if start > 0:
            paging["previous"] = _url(call, {"before": first})
        answer["paging"] = paging
    return answer


def _expanded(value: JsonObject, inner: str, node_type: str) -> JsonObject:
    """Return the fields that the braces after an object's name ask for; of an edge, those of each of its items."""
    items = value.get("data")
    if isinstance(items, list):
        return {**value, "data": [select(item, inner, tuple(item), node_type) for item in items]}
    return select(value, inner, tuple(value), node_type)


def _closing(text: str, start: int) -> int:
    depth = 0
    for position in range(start, len(text)):
        depth += {"{": 1, "}": -1}.get(text[position], 0)
        if depth == 0:
            return position
    raise parameter("Syntax error in fields: Expected a closing brace.")


def _cursor(item: JsonObject) -> str:
    return base64.urlsafe_b64encode(f"c:{item['id']}".encode()).decode().rstrip("=")


def _position(call: Call, items: list[JsonObject], cursor: str) -> int:
    for position, item in enumerate(items):
        if _cursor(item) == cursor:
            return position
    if int(call.version[1:-2]) >= 24:
        raise GraphError(131059, "The cursor is not valid.")
    raise parameter("The cursor is not valid.")


def _url(call: Call, cursor: dict[str, Any]) -> str:
    kept = {name: value for name, value in call.params.items() if name not in ("after", "before")}
    return f"{call.url}?{urlencode({**kept, **cursor})}"
