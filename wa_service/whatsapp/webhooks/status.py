"""Parse the status of one of our messages (reference 5.7), on the hot path."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, ClassVar, Final

from wa_service.whatsapp.errors import WhatsAppError, from_status_error
from wa_service.whatsapp.webhooks.envelope import Piece
from wa_service.whatsapp.webhooks.identity import PARTICIPANT, address_of, group_of_status

NON_MESSAGE_TYPES: Final = ("payment", "call")
"""Meta's types of a status that is not about the message itself: its "failed" is not the message's."""


_RECIPIENT: Final = ("recipient_id", "recipient_user_id")
"""The participant, where `group_id` names the group."""


@dataclass(frozen=True, slots=True)
class MessageStatus:
    """The status of a message; `errors` are set if it is `failed`.

    `timestamp`: Unix seconds, 0 unknown. `type`: "message", or Meta's "payment" and "call", whose object is in
    `subject`. `contact`: the contact that belongs to it, if any.
    """

    kind: ClassVar[str] = "status"

    id: str
    phone_number_id: str
    addresses: tuple[str, ...]
    status: str
    timestamp: int
    type: str
    biz_opaque_callback_data: str
    pricing: dict[str, Any] | None
    errors: tuple[WhatsAppError, ...]
    raw: dict[str, Any]
    contact: dict[str, Any] | None = None

    @property
    def conversation(self) -> dict[str, Any] | None:
        """Meta's conversation object, None without one."""
        conversation = self.raw.get("conversation")
        return conversation if isinstance(conversation, dict) else None

    @property
    def participant(self) -> str:
        """The group's participant that it is about, "" for none."""
        group = group_of_status(self.raw)
        names = (*PARTICIPANT, *_RECIPIENT) if group else PARTICIPANT
        found = (address_of(self.raw.get(name)) for name in names)
        return next((address for address in found if address and address != group), "")

    @property
    def subject(self) -> Any:
        """Meta's object that the status is about, None for the message itself."""
        return self.raw.get(self.type) if self.type in NON_MESSAGE_TYPES else None


def parse_status(piece: Piece) -> MessageStatus:
    """Read a piece of kind `status`; every field has its type, whatever Meta sent."""
    raw = piece.raw
    type_, opaque, pricing = raw.get("type"), raw.get("biz_opaque_callback_data"), raw.get("pricing")
    return MessageStatus(
        piece.id,
        piece.phone_number_id,
        piece.addresses,
        raw["status"],  # `walk` yields no status without it
        piece.timestamp,
        type_ if isinstance(type_, str) and type_ else "message",
        opaque if isinstance(opaque, str) else "",
        pricing if isinstance(pricing, dict) else None,
        errors_of(raw) if "errors" in raw else (),
        raw,
        piece.contact,
    )


def errors_of(body: Mapping[str, Any]) -> tuple[WhatsAppError, ...]:
    """Return the `errors` of a message or status: a list, an object or a string; () without any (5.8)."""
    found = body.get("errors")
    items = found if isinstance(found, list) else [found] if isinstance(found, dict | str) and found else ()
    return tuple(from_status_error({"title": item} if isinstance(item, str) else item) for item in items)
