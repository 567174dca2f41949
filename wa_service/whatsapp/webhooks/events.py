"""Typed webhook events: messages, statuses, errors, user actions and management events (reference 5).

`walk` splits a delivery (`envelope.py`), `parse_piece` parses one piece, `parse` does both. None of them raises: an
unknown type becomes `Unsupported`, an invalid event `Malformed` with its reason. Every event keeps Meta's own object as
`raw`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any, ClassVar, Final, TypeAlias

from wa_service.whatsapp.errors import WhatsAppError, from_status_error
from wa_service.whatsapp.webhooks.envelope import MESSAGE_TYPES, Piece, PieceKind, is_delivery, walk
from wa_service.whatsapp.webhooks.json_fields import UnreadableError, text_of
from wa_service.whatsapp.webhooks.management_events import (
    MANAGEMENT_FIELDS,
    UNLIMITED,
    ManagementEvent,
    Preference,
    TemplateChange,
    read_management,
)
from wa_service.whatsapp.webhooks.message_reader import read_message
from wa_service.whatsapp.webhooks.messages import (
    Audio,
    ButtonPress,
    ButtonReply,
    CallPermissionReply,
    ContactCards,
    Context,
    Document,
    Edit,
    FlowReply,
    Image,
    InboundMedia,
    InboundMessage,
    ListReply,
    Location,
    Order,
    OrderItem,
    Reaction,
    RequestWelcome,
    Revoke,
    Sticker,
    System,
    Text,
    Unsupported,
    Video,
)
from wa_service.whatsapp.webhooks.status import MessageStatus, parse_status
from wa_service.whatsapp.webhooks.thread_events import THREAD_KINDS

__all__ = [
    "MANAGEMENT_FIELDS",
    "MESSAGE_TYPES",
    "UNLIMITED",
    "Audio",
    "ButtonPress",
    "ButtonReply",
    "CallPermissionReply",
    "ContactCards",
    "Context",
    "Document",
    "Edit",
    "ErrorNotice",
    "FlowReply",
    "Image",
    "InboundMedia",
    "InboundMessage",
    "ListReply",
    "Location",
    "Malformed",
    "ManagementEvent",
    "MessageStatus",
    "Order",
    "OrderItem",
    "Piece",
    "PieceKind",
    "Preference",
    "Reaction",
    "RequestWelcome",
    "Revoke",
    "Sticker",
    "System",
    "TemplateChange",
    "Text",
    "ThreadEvent",
    "Unsupported",
    "UserAction",
    "Video",
    "WebhookEvent",
    "is_delivery",
    "parse",
    "parse_piece",
    "walk",
]


@dataclass(frozen=True, slots=True)
class ErrorNotice:
    """An error that does not belong to a message (5.8)."""

    kind: ClassVar[str] = "error"

    phone_number_id: str
    error: WhatsAppError
    timestamp: int
    raw: dict[str, Any]


@dataclass(frozen=True, slots=True)
class UserAction:
    """A customer's action outside the chat, such as a click on a marketing link (5.8)."""

    kind: ClassVar[str] = "user_action"

    phone_number_id: str
    addresses: tuple[str, ...]
    action_type: str
    timestamp: int
    raw: dict[str, Any]


@dataclass(frozen=True, slots=True)
class ThreadEvent:
    """An event of a thread: `event` is echo, standby, handover or history."""

    kind: ClassVar[str] = "thread"

    event: str
    id: str
    phone_number_id: str
    addresses: tuple[str, ...]
    timestamp: int
    raw: dict[str, Any]


@dataclass(frozen=True, slots=True)
class Malformed:
    """A part of a delivery that cannot be read, with the reason; `raw` may be any value."""

    kind: ClassVar[str] = "malformed"

    field: str
    phone_number_id: str
    id: str
    addresses: tuple[str, ...]
    reason: str
    raw: Any


WebhookEvent: TypeAlias = (
    InboundMessage | MessageStatus | ErrorNotice | UserAction | ManagementEvent | ThreadEvent | Malformed
)


def parse(delivery: object) -> Iterator[WebhookEvent]:
    """Yield every event of a delivery, typed and in order. Never raises."""
    return map(parse_piece, walk(delivery))


def parse_piece(piece: Piece) -> WebhookEvent:
    """Parse one piece. Never raises: an invalid one becomes `Malformed`."""
    reader = _READERS.get(piece.kind, _malformed)
    try:
        return reader(piece)
    except UnreadableError as problem:
        return _malformed(piece, str(problem))


def _error(piece: Piece) -> ErrorNotice:
    return ErrorNotice(piece.phone_number_id, from_status_error(piece.raw), piece.timestamp, piece.raw)


def _user_action(piece: Piece) -> UserAction:
    return UserAction(
        piece.phone_number_id, piece.addresses, text_of(piece.raw, "action_type"), piece.timestamp, piece.raw
    )


def _management(piece: Piece) -> ManagementEvent:
    return read_management(piece.field, piece.waba_id, piece.phone_number_id, piece.timestamp, piece.raw)


def _thread(piece: Piece) -> ThreadEvent:
    return ThreadEvent(piece.kind, piece.id, piece.phone_number_id, piece.addresses, piece.timestamp, piece.raw)


def _malformed(piece: Piece, reason: str = "") -> Malformed:
    return Malformed(piece.field, piece.phone_number_id, piece.id, piece.addresses, reason or piece.reason, piece.raw)


_READERS: Final[Mapping[str, Callable[[Piece], WebhookEvent]]] = MappingProxyType(
    {
        "message": read_message,
        "status": parse_status,
        "error": _error,
        "user_action": _user_action,
        "management": _management,
        **dict.fromkeys([*THREAD_KINDS, "history"], _thread),
    }
)
