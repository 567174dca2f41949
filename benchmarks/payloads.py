"""Signed webhooks as complete HTTP requests, ready to write to a socket."""

from __future__ import annotations

import hmac
import json
import time
from collections.abc import Sequence
from hashlib import sha256
from typing import Any

NUMBER = "106540352242922"
ACCOUNT = "102290129340398"
SECRET = "benchmark-app-secret"
PATH = "/webhooks/whatsapp"
LINE = "15550783881"


def customer(index: int) -> str:
    """Return the wa_id of the n-th customer."""
    return f"4917{index:09d}"


SPEAKER = customer(900_000)
"""The customer that sends voice notes."""


def wamid(kind: str, index: int) -> str:
    """Return a message id of the usual length; `kind` makes it unique per run."""
    return f"wamid.HBgNNDkx{kind}{index:020d}FQIAEhgUM0E1QjZDN0Q="


def text_message(sender: str, message_id: str, body: str) -> dict[str, Any]:
    """Return an inbound text with the current time."""
    return {
        "from": sender,
        "id": message_id,
        "timestamp": str(int(time.time())),
        "text": {"body": body},
        "type": "text",
    }


def voice_message(sender: str, message_id: str, media_id: str) -> dict[str, Any]:
    """Return an inbound voice note with the current time."""
    audio = {"mime_type": "audio/ogg; codecs=opus", "sha256": "", "id": media_id, "voice": True}
    return {
        "from": sender,
        "id": message_id,
        "timestamp": str(int(time.time())),
        "type": "audio",
        "audio": {name: value for name, value in audio.items() if value != ""},
    }


def status(message_id: str, recipient: str, word: str, ours: str) -> dict[str, Any]:
    """Return a status of a send; `ours` is our own id, which Meta returns."""
    return {
        "id": message_id,
        "status": word,
        "timestamp": str(int(time.time())),
        "recipient_id": recipient,
        "biz_opaque_callback_data": ours,
        "pricing": {"billable": False, "pricing_model": "PMP", "category": "service", "type": "free_customer_service"},
    }


def delivery(messages: Sequence[dict[str, Any]] = (), statuses: Sequence[dict[str, Any]] = ()) -> bytes:
    """Return the body of a webhook."""
    value: dict[str, Any] = {
        "messaging_product": "whatsapp",
        "metadata": {"display_phone_number": LINE, "phone_number_id": NUMBER},
    }
    if messages:
        value["contacts"] = [{"profile": {"name": "Ada Example"}, "wa_id": m["from"]} for m in messages]
        value["messages"] = list(messages)
    if statuses:
        value["statuses"] = list(statuses)
    entry = {"id": ACCOUNT, "changes": [{"value": value, "field": "messages"}]}
    return json.dumps({"object": "whatsapp_business_account", "entry": [entry]}, separators=(",", ":")).encode()


def send(to: str) -> bytes:
    """Return the body of a send to the emulator."""
    message = {"messaging_product": "whatsapp", "to": to, "type": "text", "text": {"body": "Your table is ready."}}
    return json.dumps(message).encode()


def request(body: bytes, path: str = PATH) -> bytes:
    """Return a signed POST as bytes."""
    signature = hmac.new(SECRET.encode(), body, sha256).hexdigest()
    head = (
        f"POST {path} HTTP/1.1\r\nHost: localhost\r\nUser-Agent: facebookexternalua\r\nAccept: */*\r\n"
        f"Content-Type: application/json\r\nAuthorization: Bearer token\r\nX-Hub-Signature-256: sha256={signature}\r\n"
        f"Content-Length: {len(body)}\r\n\r\n"
    )
    return head.encode() + body


def texts(count: int, customers: int, kind: str, body: str = "what time is breakfast?") -> list[bytes]:
    """Return requests with one text each, of `customers` customers in rotation."""
    return [request(delivery([text_message(customer(i % customers), wamid(kind, i), body)])) for i in range(count)]
