"""A customer who writes to us: Meta's inbound messages, and what the worker makes of them."""

from collections.abc import Callable
from typing import Any

from wa_service.conversation.pipeline import Incoming, Pipeline
from wa_service.whatsapp.webhooks.events import InboundMessage, parse

NOW = 1_750_000_000


def event_of(message: dict[str, Any]) -> InboundMessage:
    """The event of Meta's inbound message object (reference 5.6)."""
    full = {"from": "5511999990000", "id": "wamid.A1", "timestamp": str(NOW), **message}
    value = {
        "messaging_product": "whatsapp",
        "metadata": {"display_phone_number": "15550783881", "phone_number_id": "106540352242922"},
        "contacts": [{"profile": {"name": "Ana Lima"}, "wa_id": "5511999990000"}],
        "messages": [full],
    }
    change = {"field": "messages", "value": value}
    delivery = {"object": "whatsapp_business_account", "entry": [{"id": "102", "changes": [change]}]}
    (event,) = parse(delivery)
    assert isinstance(event, InboundMessage), event
    return event


def no_media(_media_id: str) -> Any:
    raise AssertionError("no media is to be fetched here")


def incoming_of(message: dict[str, Any], **others: Any) -> Incoming:
    """The message as the worker hands it in."""
    event = event_of(message)
    given = {"conversation": "c1", "name": event.name, "contact": {}, "fetch_media": no_media, **others}
    return Incoming(event=event, **given)


def text_message(body: str) -> dict[str, Any]:
    return {"type": "text", "text": {"body": body}}


MakePipeline = Callable[..., Pipeline]
