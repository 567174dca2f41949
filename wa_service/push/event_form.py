"""Events in this service's form: the items of `GET /v1/events`, which are also pushed to subscribers."""

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
_OF_SENDS = frozenset({"send", "status"})
_OF_STATUSES = frozenset({"status", "foreign_status"})
_SEND_FIELDS = ("to", "message_type", "tag", "error", "biz_opaque_callback_data")
# Fields that hold a time, with their unit in ms.
_TIMES = {"time": 1, "timestamp": 1000, "until": 1000}
LAST_MOMENT = 253_402_300_799_999


def event_item(entry: Entry, contact: str | None = None) -> dict[str, Any]:
    """Return an entry of the events stream as an item; `time` in ms since 1970.

    `contact`: the customer's current address; default: the first one they were known by.
    """
    number, _, first_address = entry.conversation.partition(":")
    if entry.kind in _OF_MESSAGES:
        kind, data = _message(entry)
    else:
        kind, data = entry.kind, _status(entry.kind, entry.data) if entry.kind in _OF_STATUSES else dict(entry.data)
    return {
        "cursor": entry.cursor,
        "kind": kind,
        "time": int(entry.cursor.partition("-")[0]),
        "phone_number_id": number or data.get("phone_number_id") or None,
        "contact": contact or first_address or None,
        "data": data,
    }


def public_item(entry: Entry, contact: str | None = None) -> dict[str, Any]:
    """Return the item of `event_item` with our times as RFC 3339; Meta's own objects are unchanged."""
    item = event_item(entry, contact)
    data = item["data"]
    moments = {name: _moment(data[name], unit) for name, unit in _TIMES.items() if name in data}
    if item["kind"] in _OF_SENDS:
        data = {name: data.get(name) for name in _SEND_FIELDS} | data | {"to": item["contact"]}
    elif item["kind"] == "foreign_status":
        data = data | {"to": item["contact"]}
    return item | {"data": data | moments, "time": _moment(item["time"], 1)}


def event_body(entry: Entry, contact: str | None = None) -> bytes:
    """Return an entry as the body that is pushed: the JSON of `public_item`."""
    return orjson.dumps(public_item(entry, contact))


def _moment(value: Any, milliseconds: int) -> str | None:
    """Return a time since 1970, in units of `milliseconds`, as RFC 3339; None if it is not a positive number."""
    if isinstance(value, bool) or not isinstance(value, int | float) or value <= 0:
        return None
    moment = datetime.fromtimestamp(min(value * milliseconds, LAST_MOMENT) / 1000, UTC)
    return moment.isoformat(timespec="milliseconds").replace("+00:00", "Z")


def _message(entry: Entry) -> tuple[str, dict[str, Any]]:
    try:
        stored = read_event(orjson.dumps(entry.data))
    except UnreadableEventError:
        return UNREADABLE, {}
    piece = stored.piece
    profile = (piece.contact or {}).get("profile")
    known = profile if isinstance(profile, dict) else {}
    data = {
        "id": piece.id,
        "type": piece.raw.get("type"),
        "timestamp": piece.timestamp,
        "name": known.get("name"),
        "addresses": list(piece.addresses),
        "message": piece.raw,
    }
    if isinstance(username := known.get("username"), str):
        data["username"] = username
    if stored.stale:
        data["stale"] = True
    return entry.kind, data


def _status(kind: str, stored: Mapping[str, Any]) -> dict[str, Any]:
    raw = stored.get("raw")
    data = {name: value for name, value in stored.items() if name not in {"raw", "beside"}}
    if isinstance(raw, dict):
        data |= {"wamid": raw.get("id"), "pricing": raw.get("pricing")}
        if conversation := raw.get("conversation"):
            data["conversation"] = conversation
        opaque = raw.get("biz_opaque_callback_data")
        if kind == "foreign_status" and isinstance(opaque, str):  # of our own sends it is our id
            data["biz_opaque_callback_data"] = opaque
        if (type_ := raw.get("type")) in NON_MESSAGE_TYPES:
            data |= {"type": type_, str(type_): raw.get(str(type_))}
    return data
