"""The subject of a raw call, for the drawer: which message or status, and whose phone."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

_LONGEST = 40


def subject_of(kind: str, request_body: str) -> dict[str, str]:
    """Return `{"what", "wa_id"}` for a webhook's or a send's body; both empty for any other call."""
    try:
        body = json.loads(request_body)
    except ValueError:
        body = None
    found = next(_pieces(kind, body), ("", "")) if isinstance(body, dict) else ("", "")
    return {"what": found[0][:_LONGEST], "wa_id": found[1]}


def _pieces(kind: str, body: dict[str, Any]) -> Iterator[tuple[str, str]]:
    if kind == "webhook":
        for change in _changes(body):
            value = change.get("value")
            value = value if isinstance(value, dict) else {}
            for status in _objects(value.get("statuses")):
                yield f"status {status.get('status')}", str(status.get("recipient_id") or "")
            for message in _objects(value.get("messages")):
                yield f"message {message.get('type')}", str(message.get("from") or "")
            yield str(change.get("field") or ""), ""
    elif body.get("status") == "read":
        yield "typing" if body.get("typing_indicator") else "read", ""
    elif "to" in body or "recipient" in body:
        digits = "".join(one for one in str(body.get("to") or "") if one.isdigit())
        yield f"send {body.get('type', 'text')}", digits


def _changes(body: dict[str, Any]) -> Iterator[dict[str, Any]]:
    for entry in _objects(body.get("entry")):
        yield from _objects(entry.get("changes"))


def _objects(found: object) -> Iterator[dict[str, Any]]:
    if isinstance(found, list):
        yield from (each for each in found if isinstance(each, dict))
