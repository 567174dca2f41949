"""An event in this service's form: the item of `GET /v1/events`, read by polling or pushed to a subscriber."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

import orjson

from wa_service.store.events import UNREADABLE, Entry
from wa_service.store.stored_event import UnreadableEventError, read_event
from wa_service.whatsapp.webhooks.status import NON_MESSAGE_TYPES
from wa_service.whatsapp.webhooks.thread_events import THREAD_KINDS

_OF_MESSAGES = frozenset({"message", *THREAD_KINDS})


def event_item(entry: Entry, contact: str | None = None) -> dict[str, Any]:
    """Return an entry of the events stream as tools see it; `time` in ms since 1970.

    `contact`: the address that the customer has now, else the first one they were known under is shown.
    """
    number, _, first_address = entry.conversation.partition(":")
    if entry.kind in _OF_MESSAGES:
        kind, data = _message(entry)
    else:
        kind, data = entry.kind, _status(entry.data) if entry.kind == "status" else dict(entry.data)
    return {
        "cursor": entry.cursor,
        "kind": kind,
        "time": int(entry.cursor.partition("-")[0]),
        "phone_number_id": number or data.get("phone_number_id") or None,
        "contact": contact or first_address or None,
        "data": data,
    }


def event_body(entry: Entry, contact: str | None = None) -> bytes:
    """Return an entry as the body that is pushed: the JSON of `event_item`, its time as REST writes it."""
    item = event_item(entry, contact)
    moment = datetime.fromtimestamp(item["time"] / 1000, UTC).isoformat(timespec="milliseconds")
    return orjson.dumps(item | {"time": moment.replace("+00:00", "Z")})


def _message(entry: Entry) -> tuple[str, dict[str, Any]]:
    try:
        stored = read_event(orjson.dumps(entry.data))
    except UnreadableEventError:
        return UNREADABLE, {}
    piece = stored.piece
    profile = (piece.contact or {}).get("profile")
    name = profile.get("name") if isinstance(profile, dict) else None
    data = {
        "id": piece.id,
        "type": piece.raw.get("type"),
        "timestamp": piece.timestamp,
        "name": name,
        "addresses": list(piece.addresses),
        "message": piece.raw,
    }
    if stored.stale:
        data["stale"] = True
    return entry.kind, data


def _status(stored: Mapping[str, Any]) -> dict[str, Any]:
    raw = stored.get("raw")
    data = {name: value for name, value in stored.items() if name not in {"raw", "beside"}}
    if isinstance(raw, dict):
        data |= {"wamid": raw.get("id"), "pricing": raw.get("pricing")}
        if (type_ := raw.get("type")) in NON_MESSAGE_TYPES:
            data |= {"type": type_, str(type_): raw.get(str(type_))}
    return data
