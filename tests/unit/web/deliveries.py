"""Deliveries in Meta's format (reference 5.4 to 5.10)."""

from __future__ import annotations

import time
from typing import Any

NUMBER = "106540352242922"
OTHER_NUMBER = "106540352242923"
FOREIGN_NUMBER = "999999999999999"
WABA = "102290129340398"
SECRET = "an-app-secret"
CUSTOMER = "15551234567"
NOW = int(time.time())


def text_message(wamid: str = "wamid.HBgLMESSAGE", body: str = "hello", at: int = NOW) -> dict[str, Any]:
    """Return a customer's text message in Meta's format."""
    return {"from": CUSTOMER, "id": wamid, "timestamp": str(at), "type": "text", "text": {"body": body}}


def value_of(number: str = NUMBER, **lists: Any) -> dict[str, Any]:
    """Return the value of a change for a number."""
    metadata = {"display_phone_number": "15550001111", "phone_number_id": number}
    contacts = [{"profile": {"name": "Ada"}, "wa_id": CUSTOMER}]
    return {"messaging_product": "whatsapp", "metadata": metadata, "contacts": contacts} | lists


def delivery(
    *values: dict[str, Any], field: str = "messages", waba: str = WABA, at: int = 1_700_000_000
) -> dict[str, Any]:
    """Return a delivery of a time with one change for each value."""
    changes = [{"field": field, "value": value} for value in values]
    return {"object": "whatsapp_business_account", "entry": [{"id": waba, "time": at, "changes": changes}]}


def status_of(wamid: str, status: str, *, at: int = 1_700_000_100, **more: Any) -> dict[str, Any]:
    """Return a status of a message."""
    return {"id": wamid, "status": status, "timestamp": str(at), "recipient_id": CUSTOMER} | more
