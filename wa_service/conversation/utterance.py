"""What a customer's message carries for us: words, the id of a pressed button, a kind, a recording."""

from dataclasses import dataclass
from typing import Any

from wa_service.whatsapp.webhooks.events import (
    Audio,
    ButtonPress,
    ButtonReply,
    CallPermissionReply,
    ContactCards,
    Document,
    Edit,
    FlowReply,
    Image,
    InboundMessage,
    ListReply,
    Location,
    Order,
    Reaction,
    RequestWelcome,
    Revoke,
    Sticker,
    System,
    Text,
    Video,
    WebhookEvent,
)


@dataclass(frozen=True, slots=True)
class Content:
    """What there is to understand.

    `kind`: text, choice (a pressed button or chosen row), audio, or one of the words of a script's `on:`.
    `text`: the words, "" for none. `choice`: the id behind the button.
    """

    kind: str
    text: str = ""
    choice: str = ""


def read_content(event: WebhookEvent) -> Content | None:
    """What the event carries; None where nobody asked anything (statuses, reactions, edits, consent …)."""
    match event:
        case Text():
            return Content("text", text=event.body)
        case ButtonPress():
            return Content("choice", text=event.text, choice=event.payload)
        case ButtonReply() | ListReply():
            return Content("choice", text=event.title, choice=event.reply_id)
        case Audio():
            return Content("audio")
        case Image() | Video() | Document() | Sticker():
            return Content(event.kind, text=event.caption)
        case Location() | ContactCards():
            return Content(event.kind)
        case Order():
            return Content("order", text=event.text)
        case FlowReply():
            return Content("flow")
        case RequestWelcome():
            return Content("welcome")
        case Reaction() | System() | Edit() | Revoke() | CallPermissionReply():
            return None
        case InboundMessage():
            return Content("unsupported")
    return None


def message_of(event: InboundMessage) -> dict[str, Any]:
    """Meta's message object, for templates and tools; a Flow's answer also as data, under `response`."""
    if not isinstance(event, FlowReply):
        return event.raw
    interactive = event.raw.get("interactive") or {}
    reply = {**(interactive.get("nfm_reply") or {}), "response": event.response}
    return {**event.raw, "interactive": {**interactive, "nfm_reply": reply}}
