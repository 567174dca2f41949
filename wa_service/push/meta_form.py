"""Events in Meta's form, a webhook's envelope, so that tools written for Meta's webhooks work with this service.

Each event is an envelope of its own (reference 5.4), with Meta's object unchanged and the stored facts of its origin.
Events of this service (a transcript, the outcome of a send) have no such form.
"""

from __future__ import annotations

import hmac
from collections.abc import Mapping
from hashlib import sha256
from typing import Any

import orjson

from wa_service.store.stored_event import UnreadableEventError, read_event
from wa_service.whatsapp.webhooks.envelope import OBJECT
from wa_service.whatsapp.webhooks.history import HISTORY_FIELD
from wa_service.whatsapp.webhooks.thread_events import STANDBY_FIELD, is_outbound

SIGNATURE_HEADER = "X-Hub-Signature-256"


def meta_envelope(
    kind: str, conversation: str, data: bytes, display_numbers: Mapping[str, str], waba_id: str = ""
) -> bytes | None:
    """Return an event as the body of a Meta webhook, None if it has no such form.

    Args:
        kind: its kind in the events stream.
        conversation: our number's id and the customer's address, separated by a colon; "" none.
        data: its JSON in the events stream.
        display_numbers: our numbers as customers see them, by phone number id.
        waba_id: the business account's id, for events that were stored without it.
    """
    number = conversation.partition(":")[0]
    match kind:
        case "message" | "echo" | "standby" | "handover":
            return _piece(kind, data, display_numbers)
        case "history":
            return _history(number, orjson.loads(data), display_numbers, waba_id)
        case "status" | "foreign_status":
            return _status(number, orjson.loads(data), display_numbers, waba_id)
        case "management":
            return _management(orjson.loads(data), display_numbers)
        case _:
            return None


def sign(body: bytes, secret: str) -> str:
    """Return the value of `X-Hub-Signature-256` for a body."""
    return f"sha256={hmac.new(secret.encode(), body, sha256).hexdigest()}"


def _piece(kind: str, data: bytes, display_numbers: Mapping[str, str]) -> bytes | None:
    try:
        piece = read_event(data).piece
    except UnreadableEventError:
        return None
    if kind == "handover":
        return _envelope(piece.waba_id, piece.field, piece.raw, piece.entry_time)
    inside: dict[str, Any] = {} if piece.contact is None else {"contacts": [piece.contact]}
    is_echo = kind == "echo" or (kind == "standby" and is_outbound(piece.raw))
    inside["message_echoes" if is_echo else "messages"] = [piece.raw]
    value = _value(piece.phone_number_id, display_numbers) | ({STANDBY_FIELD: inside} if kind == "standby" else inside)
    return _envelope(piece.waba_id, piece.field or "messages", value, piece.entry_time)


def _history(number: str, data: Mapping[str, Any], display_numbers: Mapping[str, str], waba_id: str) -> bytes:
    messages, metadata = data.get("messages"), data.get("metadata")
    value = _value(str(data.get("phone_number_id") or number), display_numbers)
    if metadata is None:  # media that arrive later have no thread around them
        value["messages"] = messages
    else:
        threads = [{"id": data.get("thread"), "messages": messages}]
        value[HISTORY_FIELD] = [{"metadata": metadata, "threads": threads}]
    return _envelope(waba_id, HISTORY_FIELD, value, 0)


def _status(number: str, data: Mapping[str, Any], display_numbers: Mapping[str, str], waba_id: str) -> bytes | None:
    raw = data.get("raw")
    if not isinstance(raw, dict):
        return None
    value = _value(number, display_numbers)
    if contact := data.get("beside"):
        value["contacts"] = [contact]
    value["statuses"] = [raw]
    return _envelope(waba_id, "messages", value, 0)


def _management(data: Mapping[str, Any], display_numbers: Mapping[str, str]) -> bytes:
    field, raw = str(data.get("field")), data.get("value")
    waba_id, number = str(data.get("waba_id") or ""), str(data.get("phone_number_id") or "")
    if field in {"error", "user_action"}:
        plural = {"error": "errors", "user_action": "user_actions"}[field]
        contacts = {"contacts": [data["contact"]]} if data.get("contact") else {}
        return _envelope(waba_id, "messages", _value(number, display_numbers) | contacts | {plural: [raw]}, 0)
    return _envelope(waba_id, field, raw, data.get("timestamp") or 0)


def _value(number: str, display_numbers: Mapping[str, str]) -> dict[str, Any]:
    metadata = {"display_phone_number": display_numbers.get(number, ""), "phone_number_id": number}
    return {"messaging_product": "whatsapp", "metadata": metadata}


def _envelope(waba_id: str, field: str, value: Any, entry_time: int) -> bytes:
    entry: dict[str, Any] = {"id": waba_id}
    if entry_time:
        entry["time"] = entry_time
    entry["changes"] = [{"value": value, "field": field}]
    return orjson.dumps({"object": OBJECT, "entry": [entry]})
