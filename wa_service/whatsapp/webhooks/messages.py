"""Inbound messages, one class per type (reference 5.6)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, ClassVar

from wa_service.whatsapp.errors import WhatsAppError


@dataclass(frozen=True, slots=True)
class Context:
    """What a message replies to, or where it came from; `id`: that of the message replied to, "" if none."""

    id: str
    sender: str
    forwarded: bool
    frequently_forwarded: bool
    catalog_id: str
    product_retailer_id: str


@dataclass(frozen=True, slots=True)
class InboundMessage:
    """The common fields of messages from customers (5.6).

    `addresses`: the conversation's, best first. `sender`: who wrote it (in a group the participant). `name`: the
    profile name, "" unknown. `timestamp`: Unix seconds, 0 unknown. `referral`: Meta's object for a click-to-WhatsApp
    ad. `group_id`: "" outside groups.
    """

    kind: ClassVar[str]

    id: str
    phone_number_id: str
    addresses: tuple[str, ...]
    sender: str
    name: str
    timestamp: int
    context: Context | None
    referral: dict[str, Any] | None
    group_id: str
    raw: dict[str, Any]


@dataclass(frozen=True, slots=True)
class Text(InboundMessage):
    """A written message."""

    kind: ClassVar[str] = "text"
    body: str


@dataclass(frozen=True, slots=True)
class InboundMedia(InboundMessage):
    """A file. `sha256` is in base64; the id is valid for 7 days, the `url` for 5 minutes with the token (4, 5.6)."""

    media_id: str
    mime_type: str
    sha256: str
    url: str
    caption: str


@dataclass(frozen=True, slots=True)
class Image(InboundMedia):
    """An image."""

    kind: ClassVar[str] = "image"


@dataclass(frozen=True, slots=True)
class Audio(InboundMedia):
    """Audio; `voice`: it is a voice note."""

    kind: ClassVar[str] = "audio"
    voice: bool


@dataclass(frozen=True, slots=True)
class Video(InboundMedia):
    """A video."""

    kind: ClassVar[str] = "video"


@dataclass(frozen=True, slots=True)
class Document(InboundMedia):
    """A file of any type, with its file name."""

    kind: ClassVar[str] = "document"
    filename: str


@dataclass(frozen=True, slots=True)
class Sticker(InboundMedia):
    """A sticker."""

    kind: ClassVar[str] = "sticker"
    animated: bool


@dataclass(frozen=True, slots=True)
class Location(InboundMessage):
    """A location in degrees; place, address and url only if the customer chose a known place."""

    kind: ClassVar[str] = "location"
    latitude: float
    longitude: float
    place: str
    address: str
    url: str


@dataclass(frozen=True, slots=True)
class ContactCards(InboundMessage):
    """Contact cards, in Meta's form."""

    kind: ClassVar[str] = "contacts"
    cards: tuple[dict[str, Any], ...]


@dataclass(frozen=True, slots=True)
class Reaction(InboundMessage):
    """An emoji on one of our messages; "" removes it."""

    kind: ClassVar[str] = "reaction"
    message_id: str
    emoji: str


@dataclass(frozen=True, slots=True)
class ButtonPress(InboundMessage):
    """A quick-reply button of a template."""

    kind: ClassVar[str] = "button"
    payload: str
    text: str


@dataclass(frozen=True, slots=True)
class ButtonReply(InboundMessage):
    """A reply button of an interactive message."""

    kind: ClassVar[str] = "button_reply"
    reply_id: str
    title: str


@dataclass(frozen=True, slots=True)
class ListReply(InboundMessage):
    """A row of an interactive list."""

    kind: ClassVar[str] = "list_reply"
    reply_id: str
    title: str
    description: str


@dataclass(frozen=True, slots=True)
class FlowReply(InboundMessage):
    """A completed Flow or address form; `response`: the values, {} if `raw` has none that are readable."""

    kind: ClassVar[str] = "nfm_reply"
    flow: str
    body: str
    response: dict[str, Any]


@dataclass(frozen=True, slots=True)
class CallPermissionReply(InboundMessage):
    """Whether we may call; `expires` in Unix seconds, 0: never."""

    kind: ClassVar[str] = "call_permission_reply"
    accepted: bool
    permanent: bool
    expires: int


@dataclass(frozen=True, slots=True)
class OrderItem:
    """One product of an order, priced in `currency`; quantity and price are None if Meta gave none."""

    product_retailer_id: str
    quantity: int | None
    price: float | None
    currency: str


@dataclass(frozen=True, slots=True)
class Order(InboundMessage):
    """A cart that the customer sent."""

    kind: ClassVar[str] = "order"
    catalog_id: str
    text: str
    items: tuple[OrderItem, ...]


@dataclass(frozen=True, slots=True)
class System(InboundMessage):
    """The customer changed number, user id or security code; `addresses` hold the old and the new ones."""

    kind: ClassVar[str] = "system"
    event: str
    body: str


@dataclass(frozen=True, slots=True)
class Edit(InboundMessage):
    """The customer edited an earlier message; `message` is the new content in Meta's form."""

    kind: ClassVar[str] = "edit"
    original_id: str
    message: dict[str, Any]


@dataclass(frozen=True, slots=True)
class Revoke(InboundMessage):
    """The customer deleted an earlier message."""

    kind: ClassVar[str] = "revoke"
    original_id: str


@dataclass(frozen=True, slots=True)
class RequestWelcome(InboundMessage):
    """The customer opened the chat for the first time."""

    kind: ClassVar[str] = "request_welcome"


@dataclass(frozen=True, slots=True)
class Unsupported(InboundMessage):
    """A message that Meta could not deliver to us, or of an unknown type; `type` names it."""

    kind: ClassVar[str] = "unsupported"
    type: str
    errors: tuple[WhatsAppError, ...]
