"""Parse an inbound message of any type into its class (reference 5.6)."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import Any, Final, TypeAlias

import orjson

from wa_service.whatsapp.webhooks import tolerant_json
from wa_service.whatsapp.webhooks.envelope import Piece
from wa_service.whatsapp.webhooks.identity import address_of
from wa_service.whatsapp.webhooks.json_fields import (
    JsonObject,
    UnreadableError,
    id_of,
    needed_number,
    needed_object,
    needed_text,
    optional_object,
    seconds_of,
    text_of,
)
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
from wa_service.whatsapp.webhooks.status import errors_of


def _context(raw: JsonObject) -> Context | None:
    context = raw.get("context")
    if not isinstance(context, dict):
        return None
    product = context.get("referred_product")
    if not isinstance(product, dict):
        product = {}
    return Context(
        id_of(context, "id"),
        address_of(context.get("from")),
        context.get("forwarded") is True,
        context.get("frequently_forwarded") is True,
        id_of(product, "catalog_id"),
        id_of(product, "product_retailer_id"),
    )


_Common: TypeAlias = tuple[
    str, str, tuple[str, ...], str, str, int, Context | None, dict[str, Any] | None, str, dict[str, Any]
]


def _common(piece: Piece) -> _Common:
    """Return the fields of `InboundMessage` in order, for positional use, which is faster."""
    raw = piece.raw
    contact = piece.contact
    profile = contact.get("profile") if contact else None
    group_id = address_of(raw.get("group_id"))
    sender = address_of(raw.get("from")) or id_of(raw, "from_user_id")
    if not sender and not group_id:
        sender = piece.addresses[0] if piece.addresses else ""
    return (
        piece.id,
        piece.phone_number_id,
        piece.addresses,
        sender,
        text_of(profile, "name") if isinstance(profile, dict) else "",
        piece.timestamp,
        _context(raw),
        optional_object(raw, "referral"),
        group_id,
        raw,
    )


def read_message(piece: Piece) -> InboundMessage:
    """Read a piece of kind `message`; raise `UnreadableError` if its content is malformed."""
    raw = piece.raw
    if not isinstance(raw, dict):
        raise UnreadableError("the message is not an object")
    type_ = raw.get("type")
    reader = _MESSAGE_READERS.get(type_) if isinstance(type_, str) else None
    if reader is None:
        return _unsupported(piece)
    if raw.get("errors") and not isinstance(raw.get(type_), dict | list):
        # Meta could not fetch the content (131052 and others) and sends errors instead.
        return _unsupported(piece)
    return reader(piece, raw)


def _unsupported(piece: Piece) -> Unsupported:
    raw = piece.raw
    detail = raw.get("unsupported")
    named = text_of(detail, "type") if isinstance(detail, dict) else ""
    return Unsupported(*_common(piece), named or text_of(raw, "type"), errors_of(raw))


def _text_message(piece: Piece, raw: JsonObject) -> Text:
    if isinstance(raw.get("text"), dict) or not _is_product_enquiry(raw):
        return Text(*_common(piece), needed_text(needed_object(raw, "text"), "body"))
    return Text(*_common(piece), "")


def _is_product_enquiry(raw: JsonObject) -> bool:
    """Whether it refers to a catalogue product; such a message may have no text."""
    context = raw.get("context")
    return isinstance(context, dict) and isinstance(context.get("referred_product"), dict)


def _media(raw: JsonObject, type_: str) -> tuple[dict[str, Any], tuple[str, str, str, str, str]]:
    """Return the file's fields; `media_id` is "" if Meta gives none because it could not fetch the file."""
    body = needed_object(raw, type_)
    read = (
        id_of(body, "id"),
        text_of(body, "mime_type"),
        text_of(body, "sha256"),
        text_of(body, "url"),
        text_of(body, "caption"),
    )
    return body, read


def _image(piece: Piece, raw: JsonObject) -> Image:
    return Image(*_common(piece), *_media(raw, "image")[1])


def _audio(piece: Piece, raw: JsonObject) -> Audio:
    body, media = _media(raw, "audio")
    return Audio(*_common(piece), *media, body.get("voice") is True)


def _video(piece: Piece, raw: JsonObject) -> Video:
    return Video(*_common(piece), *_media(raw, "video")[1])


def _document(piece: Piece, raw: JsonObject) -> Document:
    body, media = _media(raw, "document")
    return Document(*_common(piece), *media, text_of(body, "filename"))


def _sticker(piece: Piece, raw: JsonObject) -> Sticker:
    body, media = _media(raw, "sticker")
    return Sticker(*_common(piece), *media, body.get("animated") is True)


def _location(piece: Piece, raw: JsonObject) -> Location:
    body = needed_object(raw, "location")
    return Location(
        *_common(piece),
        needed_number(body, "latitude"),
        needed_number(body, "longitude"),
        text_of(body, "name"),
        text_of(body, "address"),
        text_of(body, "url"),
    )


def _contacts(piece: Piece, raw: JsonObject) -> ContactCards:
    cards = raw.get("contacts")
    if not isinstance(cards, list):
        raise UnreadableError("contacts is not a list")
    return ContactCards(*_common(piece), tuple(card for card in cards if isinstance(card, dict)))


def _reaction(piece: Piece, raw: JsonObject) -> Reaction:
    body = needed_object(raw, "reaction")
    return Reaction(*_common(piece), needed_text(body, "message_id"), text_of(body, "emoji"))


def _button(piece: Piece, raw: JsonObject) -> ButtonPress:
    body = needed_object(raw, "button")
    return ButtonPress(*_common(piece), text_of(body, "payload"), text_of(body, "text"))


def _interactive(piece: Piece, raw: JsonObject) -> InboundMessage:
    body = optional_object(raw, "interactive")
    if body is None:  # seen in traffic, with an error beside it (5.6)
        return _unsupported(piece)
    kind = body.get("type")
    if kind == "button_reply":
        reply = needed_object(body, kind)
        return ButtonReply(*_common(piece), text_of(reply, "id"), text_of(reply, "title"))
    if kind == "list_reply":
        reply = needed_object(body, kind)
        return ListReply(*_common(piece), text_of(reply, "id"), text_of(reply, "title"), text_of(reply, "description"))
    if kind == "nfm_reply":
        return _flow_reply(piece, optional_object(body, kind) or {})
    if kind == "call_permission_reply":
        reply = needed_object(body, kind)
        return CallPermissionReply(
            *_common(piece),
            reply.get("response") == "accept",
            reply.get("is_permanent") is True,
            seconds_of(reply.get("expiration_timestamp")),
        )
    return Unsupported(*_common(piece), f"interactive/{kind}" if isinstance(kind, str) else "interactive", ())


def _flow_reply(piece: Piece, reply: JsonObject) -> FlowReply:
    """Read a completed form; a response that is not an object, or nested too deeply, stays in `raw` only."""
    response = reply.get("response_json")
    if isinstance(response, str):
        try:
            response = tolerant_json.loads(response.encode())
        except ValueError:
            response = None
    filled_in = response if isinstance(response, dict) and _can_be_written(response) else {}
    return FlowReply(*_common(piece), text_of(reply, "name"), text_of(reply, "body"), filled_in)


def _can_be_written(response: JsonObject) -> bool:
    """Whether orjson, which reads more levels than it writes, can write it inside the objects that surround it."""
    try:
        orjson.dumps([[[[[[[[response]]]]]]]])
    except TypeError:
        return False
    return True


def _order(piece: Piece, raw: JsonObject) -> Order:
    body = needed_object(raw, "order")
    items = body.get("product_items")
    items = items if isinstance(items, list) else [items]
    return Order(
        *_common(piece),
        id_of(body, "catalog_id"),
        text_of(body, "text"),
        tuple(_order_item(item) for item in items if isinstance(item, dict)),
    )


def _order_item(item: JsonObject) -> OrderItem:
    quantity = _number_of(item, "quantity")
    return OrderItem(
        id_of(item, "product_retailer_id"),
        None if quantity is None else int(quantity),
        _number_of(item, "item_price"),
        text_of(item, "currency"),
    )


def _number_of(item: JsonObject, name: str) -> float | None:
    try:
        return needed_number(item, name)
    except UnreadableError:
        return None


def _system(piece: Piece, raw: JsonObject) -> System:
    body = needed_object(raw, "system")
    return System(*_common(piece), text_of(body, "type"), text_of(body, "body"))


def _edit(piece: Piece, raw: JsonObject) -> Edit:
    body = needed_object(raw, "edit")
    return Edit(*_common(piece), needed_text(body, "original_message_id"), needed_object(body, "message"))


def _revoke(piece: Piece, raw: JsonObject) -> Revoke:
    return Revoke(*_common(piece), needed_text(needed_object(raw, "revoke"), "original_message_id"))


def _request_welcome(piece: Piece, raw: JsonObject) -> RequestWelcome:
    del raw
    return RequestWelcome(*_common(piece))


_MESSAGE_READERS: Final[Mapping[str, Callable[[Piece, JsonObject], InboundMessage]]] = MappingProxyType(
    {
        "text": _text_message,
        "image": _image,
        "audio": _audio,
        "video": _video,
        "document": _document,
        "sticker": _sticker,
        "location": _location,
        "contacts": _contacts,
        "reaction": _reaction,
        "button": _button,
        "interactive": _interactive,
        "order": _order,
        "system": _system,
        "edit": _edit,
        "revoke": _revoke,
        "request_welcome": _request_welcome,
    }
)
