"""Outbound messages: typed, checked against Meta's limits, and open for Meta's future fields (reference 2).

`parse_message` reads Meta's own object, from a REST body or a script; `payload` returns what is POSTed. Known types are
checked, unknown fields and unknown types pass through unchanged.

    try:
        message = parse_message({"to": "+15551234567", "text": "hello"})
    except pydantic.ValidationError as error:
        for path, sentence in problems(error): ...
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any, Final, Literal

import orjson
from pydantic import Field, ValidationError, field_validator, model_validator
from pydantic_core import InitErrorDetails, PydanticCustomError

from wa_service.whatsapp.addresses import is_user_id, recipient_fields
from wa_service.whatsapp.outbound.field_problems import MessageProblem, problems
from wa_service.whatsapp.outbound.graph_values import DecimalNumber, Flag
from wa_service.whatsapp.outbound.interactive import AnyInteractive
from wa_service.whatsapp.outbound.media_parts import AudioMedia, CaptionedMedia, DocumentMedia, MediaObject
from wa_service.whatsapp.outbound.message_part import MessagePart
from wa_service.whatsapp.outbound.templates import Template, build_components, check_against
from wa_service.whatsapp.phone_numbers import normalise_number

__all__ = [
    "AudioMessage",
    "Card",
    "CardName",
    "ContactsMessage",
    "DocumentMessage",
    "ImageMessage",
    "InteractiveMessage",
    "LocationContent",
    "LocationMessage",
    "MarkAsRead",
    "Message",
    "MessageProblem",
    "ReactionBody",
    "ReactionMessage",
    "ReplyContext",
    "StickerMessage",
    "TemplateMessage",
    "TextBody",
    "TextMessage",
    "VideoMessage",
    "parse_message",
    "parse_reply",
    "problems",
]


_CONSTANTS: Final = frozenset({"messaging_product", "recipient_type"})
"""Null has the same meaning as absent for these."""


class ReplyContext(MessagePart):
    """The message that this one answers."""

    message_id: str = Field(min_length=1)


class Message(MessagePart):
    """The envelope of every message; itself the model of unknown types.

    `to` is a number (stored as digits) or, with `recipient_type` "group", a group id; `recipient` is a business-scoped
    user id. If both are given, Meta uses `to`. A reply has neither until `addressed_to` adds it.
    """

    messaging_product: Literal["whatsapp"] = "whatsapp"
    recipient_type: Literal["individual", "group"] = "individual"
    to: str | None = Field(default=None, min_length=1)
    recipient: str | None = None
    type: str = Field(min_length=1, max_length=64)
    context: ReplyContext | None = None
    biz_opaque_callback_data: str | None = Field(default=None, max_length=512)

    @field_validator("recipient")
    @classmethod
    def _user_id(cls, value: str | None) -> str | None:
        if value is not None and not is_user_id(value):
            raise ValueError("The recipient must be a business-scoped user id, such as US.13491208655302741918.")
        return value

    @model_validator(mode="before")
    @classmethod
    def _number(cls, data: Any) -> Any:
        if not isinstance(data, Mapping):
            return data
        given = {name: value for name, value in data.items() if value is not None or name not in _CONSTANTS}
        if given.get("to") == "" and given.get("recipient"):
            del given["to"]
        to = given.get("to")
        if given.get("recipient_type", "individual") != "individual" or isinstance(to, bool):
            return given
        if isinstance(to, str | int | float):
            given["to"] = _digits(to)
        return given

    @property
    def address(self) -> str:
        """The address that Meta uses: `to`, else `recipient` (2.1); "" for a reply without recipient."""
        return self.to or self.recipient or ""

    def payload(self) -> dict[str, Any]:
        """Return the body of the POST to `/messages`, as plain JSON values."""
        return self.as_json()

    def addressed_to(self, address: str, *, group: bool = False) -> Message:
        """Return the message for another address: a number, a business-scoped user id, or a group's id.

        Raises `pydantic.ValidationError` if the address has none of these forms.
        """
        rest = {key: value for key, value in self.payload().items() if key not in ("to", "recipient", "recipient_type")}
        return type(self).model_validate({**rest, **recipient_fields(address, group=group)})


def _digits(to: str | float) -> str:
    try:
        return normalise_number(to)
    except ValueError as problem:
        error: InitErrorDetails = {
            "type": PydanticCustomError("phone_number", "{sentence}", {"sentence": str(problem)}),
            "loc": ("to",),
            "input": None,
        }
        raise ValidationError.from_exception_data("Message", [error]) from None


class TextBody(MessagePart):
    """A text of up to 4,096 characters, optionally with a preview of its first link."""

    body: str = Field(min_length=1, max_length=4096)
    preview_url: Flag | None = None


class TextMessage(Message):
    """A text message."""

    type: Literal["text"] = "text"
    text: TextBody


class ImageMessage(Message):
    """An image: JPEG or PNG, 5 MB."""

    type: Literal["image"] = "image"
    image: CaptionedMedia


class AudioMessage(Message):
    """Audio, or with `voice` a voice note, 16 MB."""

    type: Literal["audio"] = "audio"
    audio: AudioMedia


class VideoMessage(Message):
    """A video: MP4 or 3GP, 16 MB."""

    type: Literal["video"] = "video"
    video: CaptionedMedia


class DocumentMessage(Message):
    """A document, 100 MB."""

    type: Literal["document"] = "document"
    document: DocumentMedia


class StickerMessage(Message):
    """A sticker: WebP, 100 KB, animated 500 KB."""

    type: Literal["sticker"] = "sticker"
    sticker: MediaObject


_DEGREES: Final = re.compile(r"[+-]?([0-9]{1,3}(\.[0-9]{0,20})?|\.[0-9]{1,20})")


class LocationContent(MessagePart):
    """A location in degrees, as numbers or strings such as "-73.98"."""

    latitude: DecimalNumber
    longitude: DecimalNumber
    name: str | None = Field(default=None, max_length=1000)
    address: str | None = Field(default=None, max_length=1000)

    @model_validator(mode="after")
    def _on_earth(self) -> LocationContent:
        for name, value, limit in (("latitude", self.latitude, 90), ("longitude", self.longitude, 180)):
            is_number = isinstance(value, float) or _DEGREES.fullmatch(value) is not None
            if not is_number or not abs(float(value)) <= limit:
                raise ValueError(f"The {name} must be a number from -{limit} to {limit}.")
        return self


class LocationMessage(Message):
    """A location."""

    type: Literal["location"] = "location"
    location: LocationContent


class CardName(MessagePart):
    """A person's full name, and at least one of its parts."""

    formatted_name: str = Field(min_length=1)
    first_name: str | None = None
    middle_name: str | None = None
    last_name: str | None = None
    prefix: str | None = None
    suffix: str | None = None

    @model_validator(mode="after")
    def _some_part(self) -> CardName:
        if not (self.first_name or self.middle_name or self.last_name or self.prefix or self.suffix):
            raise ValueError("A name needs formatted_name and at least one part, such as first_name.")
        return self


class Card(MessagePart):
    """A contact card."""

    name: CardName
    phones: tuple[dict[str, Any], ...] | None = Field(default=None, fail_fast=True, max_length=100)
    emails: tuple[dict[str, Any], ...] | None = Field(default=None, fail_fast=True, max_length=100)
    addresses: tuple[dict[str, Any], ...] | None = Field(default=None, fail_fast=True, max_length=100)
    urls: tuple[dict[str, Any], ...] | None = Field(default=None, fail_fast=True, max_length=100)
    org: dict[str, Any] | None = None
    birthday: str | None = Field(default=None, pattern=r"^\d{4}-\d{2}-\d{2}$")


class ContactsMessage(Message):
    """Contact cards: Meta's pages allow 257, its schema 5 (2.3)."""

    type: Literal["contacts"] = "contacts"
    contacts: tuple[Card, ...] = Field(fail_fast=True, min_length=1, max_length=257)


class ReactionBody(MessagePart):
    """An emoji on a customer's message; "" removes it."""

    message_id: str = Field(min_length=1)
    emoji: str


class ReactionMessage(Message):
    """A reaction; it cannot be a reply (2.1)."""

    type: Literal["reaction"] = "reaction"
    reaction: ReactionBody

    @model_validator(mode="after")
    def _no_context(self) -> ReactionMessage:
        if self.context is not None:
            raise ValueError("A reaction names its message itself and takes no context.")
        return self


class InteractiveMessage(Message):
    """Buttons, a list, a link, a Flow, products or a request."""

    type: Literal["interactive"] = "interactive"
    interactive: AnyInteractive


class TemplateMessage(Message):
    """A template, the only message outside the service window."""

    type: Literal["template"] = "template"
    template: Template

    def check_against(self, definition: Mapping[str, Any]) -> list[str]:
        """Return a sentence for each mismatch with the template's definition (see `templates.check_against`)."""
        return check_against(self.template, definition)


class TypingIndicator(MessagePart):
    """Shows the typing indicator, for 25 seconds or until the next message."""

    type: Literal["text"] = "text"


class MarkAsRead(MessagePart):
    """Marks a customer's message, and all before it, as read (2.8)."""

    messaging_product: Literal["whatsapp"] = "whatsapp"
    status: Literal["read"] = "read"
    message_id: str = Field(min_length=1, max_length=1024)
    typing_indicator: TypingIndicator | None = None

    @classmethod
    def of(cls, message_id: str, *, typing: bool = False) -> MarkAsRead:
        """Return the mark for a message, optionally with the typing indicator."""
        return cls(message_id=message_id, typing_indicator=TypingIndicator() if typing else None)

    def payload(self) -> dict[str, Any]:
        """Return the body of the POST to `/messages`."""
        return self.as_json()


TYPES: Final[Mapping[str, type[Message]]] = {
    "text": TextMessage,
    "image": ImageMessage,
    "audio": AudioMessage,
    "video": VideoMessage,
    "document": DocumentMessage,
    "sticker": StickerMessage,
    "location": LocationMessage,
    "contacts": ContactsMessage,
    "reaction": ReactionMessage,
    "interactive": InteractiveMessage,
    "template": TemplateMessage,
}
"""The types that are checked; all others pass through."""


NO_RECIPIENT: Final = "Give the recipient: to (a number or group) or recipient (a user id)."


def parse_message(obj: Mapping[str, Any]) -> Message:
    """Read Meta's message object with a recipient; `messaging_product` may be left out.

    Short forms: `"text": "hello"`, and `"template"` with `name`, `language` (a string), `header`, `body`, `buttons` as
    for `build_components`. Without `type`, the one known content field implies it. Raises `pydantic.ValidationError`;
    `problems` reads it.
    """
    message = parse_reply(obj)
    if message.to is None and message.recipient is None:
        raise _problem("to", NO_RECIPIENT)
    return message


def parse_reply(obj: Mapping[str, Any]) -> Message:
    """Read a message object like `parse_message`, but without a recipient, such as a script's reply."""
    data = dict(obj)
    _writable(data)
    if data.get("type") is None:
        known = [name for name in TYPES if name in data]
        if len(known) != 1:
            raise _problem("type", "Give the message's type, and its content under that name.")
        data["type"] = known[0]
    type_ = data["type"]
    if type_ == "text" and isinstance(data.get("text"), str):
        data["text"] = {"body": data["text"]}
    if type_ == "template" and isinstance(data.get("template"), Mapping):
        data["template"] = _long_template(data["template"])
    model = TYPES.get(type_, Message) if isinstance(type_, str) else Message
    return model.model_validate(data)


_TEMPLATE_VALUES: Final = frozenset(
    {"header", "body", "buttons", "footer", "carousel", "limited_time_offer", "one_time_code"}
)


def _writable(data: dict[str, Any]) -> None:
    """Refuse a message that is not JSON, or nested too deeply to serialise."""
    try:
        orjson.dumps(data, default=_part_as_json)
    except TypeError:
        raise _problem("", "The message must be JSON, nested less than 250 deep.") from None


def _part_as_json(value: object) -> object:
    if isinstance(value, MessagePart):
        return value.as_json()
    raise TypeError


def _long_template(template: Mapping[str, Any]) -> dict[str, Any]:
    values = {key: value for key, value in template.items() if key in _TEMPLATE_VALUES and value is not None}
    long = {key: value for key, value in template.items() if key not in _TEMPLATE_VALUES}
    if isinstance(long.get("language"), str):
        long["language"] = {"code": long["language"]}
    if values:
        if "components" in long:
            raise _problem("template", "Give either components or header, body and buttons.")
        try:
            long["components"] = build_components(**values)
        except (ValueError, TypeError, AttributeError) as problem:
            sentence = str(problem) if isinstance(problem, ValueError) else "The short form is invalid."
            raise _problem("template", sentence) from None
    return long


def _problem(path: str, sentence: str) -> ValidationError:
    error: InitErrorDetails = {
        "type": PydanticCustomError("message", "{sentence}", {"sentence": sentence}),
        "loc": (path,) if path else (),
        "input": None,
    }
    return ValidationError.from_exception_data("Message", [error])
