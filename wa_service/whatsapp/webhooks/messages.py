"""The messages that customers send, one small class a type (reference 5.6)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, ClassVar

from wa_service.whatsapp.errors import WhatsAppError


@dataclass(frozen=True, slots=True)
class Context:
    """What a message answers or where it came from: `id` of the message replied to, "" where it is none."""

    id: str
    sender: str
    forwarded: bool
    frequently_forwarded: bool
    catalog_id: str
    product_retailer_id: str


@dataclass(frozen=True, slots=True)
class InboundMessage:
    """What all messages from customers have (5.6).

    `addresses`: the conversation's, best first. `sender`: who wrote it (in a group the participant). `name`: the
    profile name, "" unknown. `timestamp`: Unix seconds, 0 unknown. `referral`: Meta's object of a click-to-WhatsApp
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
    """A file. `sha256` is base64 here; the id lives 7 days, the `url` 5 minutes, with the token (4, 5.6)."""

    media_id: str
    mime_type: str
    sha256: str
    url: str
    caption: str


@dataclass(frozen=True, slots=True)
class Image(InboundMedia):
    """A picture."""

    kind: ClassVar[str] = "image"


@dataclass(frozen=True, slots=True)
class Audio(InboundMedia):
    """A sound; `voice` for a recorded voice note."""

    kind: ClassVar[str] = "audio"
    voice: bool


@dataclass(frozen=True, slots=True)
class Video(InboundMedia):
    """A film."""

    kind: ClassVar[str] = "video"


@dataclass(frozen=True, slots=True)
class Document(InboundMedia):
    """A file of any kind, with the sender's name for it."""

    kind: ClassVar[str] = "document"
    filename: str


@dataclass(frozen=True, slots=True)
class Sticker(InboundMedia):
    """A sticker."""

    kind: ClassVar[str] = "sticker"
    animated: bool


@dataclass(frozen=True, slots=True)
class Location(InboundMessage):
    """A place, in degrees; name, address and url only where the customer chose a known place."""

    kind: ClassVar[str] = "location"
    latitude: float
    longitude: float
    place: str
    address: str
    url: str


@dataclass(frozen=True, slots=True)
class ContactCards(InboundMessage):
    """Contact cards, as Meta writes them."""

    kind: ClassVar[str] = "contacts"
    cards: tuple[dict[str, Any], ...]


@dataclass(frozen=True, slots=True)
class Reaction(InboundMessage):
    """An emoji on one of our messages; "" takes it back."""

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
    """A finished Flow or address form; `response` is what was filled in, {} where `raw` holds none that can be read."""

    kind: ClassVar[str] = "nfm_reply"
    flow: str
    body: str
    response: dict[str, Any]


@dataclass(frozen=True, slots=True)
class CallPermissionReply(InboundMessage):
    """May we call? `expires` in Unix seconds, 0 where it does not."""

    kind: ClassVar[str] = "call_permission_reply"
    accepted: bool
    permanent: bool
    expires: int


@dataclass(frozen=True, slots=True)
class OrderItem:
    """One product of an order, priced in units of `currency`; None for a quantity or price that Meta did not tell."""

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
    """The customer changed an earlier message; `message` is the new content as Meta writes it."""

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
    """A message that Meta could not hand over, or of a type that we do not know; `type` names it."""

    kind: ClassVar[str] = "unsupported"
    type: str
    errors: tuple[WhatsAppError, ...]
