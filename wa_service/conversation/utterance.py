"""Utterances: a customer's message as a frozen record, completed by `replace` with transcript and intent."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal

from wa_service.whatsapp.webhooks.events import (
    Audio,
    ButtonPress,
    ButtonReply,
    CallPermissionReply,
    Document,
    Edit,
    FlowReply,
    Image,
    InboundMessage,
    ListReply,
    Order,
    RequestWelcome,
    Sticker,
    Text,
    Unsupported,
    Video,
)


@dataclass(frozen=True, slots=True)
class Turn:
    """An earlier turn of one side: the customer (`user`), or the business (`assistant`)."""

    role: Literal["user", "assistant"]
    text: str


NOT_RECEIVED = 131060
"""Meta's code for a message that it could not deliver, and that arrives when it is sent again (reference 5.6)."""
_PICTURES = (Image, Video, Document, Sticker)


@dataclass(frozen=True, slots=True, kw_only=True)
class Utterance:
    """A message to understand and answer, or a burst of texts that is answered as one.

    `id`: the first message's. `conversation`: the conversation's key. `timestamp`: Unix seconds.
    `kind`: text, choice (a pressed button or a chosen row), audio, or Meta's type.
    `text`: the written or transcribed text, "" for none. `choice`: the id of the button or row.
    `message`: Meta's message object (a Flow's answer also as data, under `response`), `messages`: all of a burst.
    `error_code`: Meta's code for why an unsupported message has no content. `only_language`: the only language in which
    voice notes are understood, "" if there are several.
    `alternatives`: the intents that match about equally well, () if one matches best.
    `turns`: earlier turns, oldest first, if the responder needs them.
    `unsupported_answered_at`: when (Unix seconds) an unsupported message in this conversation was last answered.
    """

    id: str
    conversation: str
    phone_number_id: str
    timestamp: float
    kind: str
    text: str = ""
    choice: str = ""
    name: str = ""
    contact: Mapping[str, Any] = field(default_factory=dict)
    message: Mapping[str, Any] = field(default_factory=dict)
    messages: tuple[Mapping[str, Any], ...] = ()
    recording: Audio | None = None
    error_code: int | None = None
    unsupported_answered_at: float | None = None
    transcript: str | None = None
    confidence: float | None = None
    only_language: str = ""
    intent: str = ""
    score: float = 0.0
    alternatives: tuple[str, ...] = ()
    turns: tuple[Turn, ...] = ()


def read_utterance(
    events: Sequence[InboundMessage],
    *,
    conversation: str,
    name: str = "",
    contact: Mapping[str, Any] | None = None,
    unsupported_answered_at: float | None = None,
) -> Utterance:
    """Return one message, or a burst of them in order, as an utterance.

    The kind is that of the first message other than text and media, such as a button or a voice note, else of the first
    media message; the texts of all are joined. A message that asks nothing, such as a call permission, decides only if
    there are no others.
    """
    first = events[0]
    asking = [event for event in events if not _asks_nothing(event)] or events
    others = [event for event in asking if not isinstance(event, Text)]
    deciding = next((event for event in others if not isinstance(event, _PICTURES)), others[0] if others else asking[0])
    kind, _, choice = _content(deciding)
    texts = [text for event in events if (text := _content(event)[1])]
    messages = tuple(_message(event) for event in events)
    return Utterance(
        id=first.id,
        conversation=conversation,
        phone_number_id=first.phone_number_id,
        timestamp=first.timestamp,
        kind=kind,
        text="\n".join(texts),
        choice=choice,
        name=first.name or name,
        contact=contact or {},
        message=messages[events.index(deciding)],
        messages=messages,
        recording=deciding if isinstance(deciding, Audio) else None,
        error_code=_error_code(deciding),
        unsupported_answered_at=unsupported_answered_at,
    )


def _content(event: InboundMessage) -> tuple[str, str, str]:
    """Return kind, text and the id of the choice."""
    match event:
        case Text():
            return "text", event.body, ""
        case ButtonPress():
            return "choice", event.text, event.payload
        case ButtonReply() | ListReply():
            return "choice", event.title, event.reply_id
        case Image() | Video() | Document() | Sticker():  # _PICTURES
            return event.kind, event.caption, ""
        case Edit():
            return "edit", _edited_words(event.message), ""
        case Order():
            return "order", event.text, ""
        case FlowReply():
            return "flow", "", ""
        case RequestWelcome():
            return "welcome", "", ""
        case Unsupported():
            return "unsupported", "", ""
    return event.kind, "", ""


def _edited_words(message: Mapping[str, Any]) -> str:
    content = message.get(str(message.get("type")))
    if not isinstance(content, dict):
        return ""
    words = content.get("body") or content.get("caption")
    return words if isinstance(words, str) else ""


def _asks_nothing(event: InboundMessage) -> bool:
    if isinstance(event, Unsupported):
        return _error_code(event) != NOT_RECEIVED
    return isinstance(event, CallPermissionReply)


def _error_code(event: InboundMessage) -> int | None:
    errors = event.errors if isinstance(event, Unsupported) else ()
    return next((error.code for error in errors if error.code is not None), None)


def _message(event: InboundMessage) -> dict[str, Any]:
    if not isinstance(event, FlowReply):
        return event.raw
    interactive = event.raw.get("interactive") or {}
    received = interactive.get("nfm_reply")
    reply = {**(received if isinstance(received, dict) else {}), "response": event.response}
    return {**event.raw, "interactive": {**interactive, "nfm_reply": reply}}
