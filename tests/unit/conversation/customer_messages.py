"""Inbound messages in Meta's format, and the utterances that the worker makes of them."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from wa_service.conversation.pipeline import Pipeline, PipelineResult
from wa_service.conversation.utterance import Utterance, read_utterance
from wa_service.whatsapp.webhooks.events import InboundMessage, parse

NOW = 1_750_000_000


def event_of(message: dict[str, Any], name: str = "Ana Lima") -> InboundMessage:
    """Return the event of an inbound message object (reference 5.6)."""
    full = {"from": "5511999990000", "id": "wamid.A1", "timestamp": str(NOW), **message}
    value = {
        "messaging_product": "whatsapp",
        "metadata": {"display_phone_number": "15550783881", "phone_number_id": "106540352242922"},
        "contacts": [{"profile": {"name": name}, "wa_id": "5511999990000"}],
        "messages": [full],
    }
    change = {"field": "messages", "value": value}
    delivery = {"object": "whatsapp_business_account", "entry": [{"id": "102", "changes": [change]}]}
    (event,) = parse(delivery)
    assert isinstance(event, InboundMessage), event
    return event


def no_media(_media_id: str) -> Any:
    raise AssertionError("no media is to be fetched here")


def utterance_of(*messages: dict[str, Any], name: str = "Ana Lima", **others: Any) -> Utterance:
    """Return the utterance that the worker passes to the pipeline for these messages."""
    return read_utterance([event_of(message, name) for message in messages], **{"conversation": "c1", **others})


def handled(pipeline: Pipeline, message: dict[str, Any], fetch_media: Any = no_media, **others: Any) -> PipelineResult:
    """Return the pipeline's result for one message."""
    return pipeline.handle(utterance_of(message, **others), fetch_media)


def text_message(body: str) -> dict[str, Any]:
    return {"type": "text", "text": {"body": body}}


MakePipeline = Callable[..., Pipeline]
