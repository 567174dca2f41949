"""The readable content of Meta's message objects, received or sent."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Any, Final

import orjson

from wa_service.whatsapp.webhooks.status import errors_of

_MEDIA: Final = frozenset({"image", "video", "audio", "document", "sticker", "voice"})
_LONGEST: Final = 4_096


@dataclass(frozen=True, slots=True)
class MediaFile:
    """A message's file: Meta's media id, its MIME type, and the kind of element that shows it."""

    id: str
    mime_type: str
    kind: str
    is_voice: bool = False


@dataclass(frozen=True, slots=True)
class MessageContent:
    """A message's type and text. `lines`: shown under the text: buttons, rows, a file, a template's values.

    `failure`: why Meta did not deliver the whole content, "" if it did.
    """

    type: str
    text: str
    lines: tuple[str, ...] = ()
    template: str | None = None
    file: MediaFile | None = None
    failure: str = ""


def content_of(raw: Mapping[str, Any]) -> MessageContent:
    """Return a message object's content; for an unknown type its JSON, cut at 4,096 characters."""
    errors = errors_of(raw)
    content = _content_of(raw)
    if product := _text(_object(_object(raw.get("context")).get("referred_product")).get("product_retailer_id")):
        content = replace(content, lines=(*content.lines, f"About the product {product}"))
    return replace(content, failure=(errors[0].title or str(errors[0].code))[:_LONGEST]) if errors else content


def _content_of(raw: Mapping[str, Any]) -> MessageContent:
    type_ = str(raw.get("type") or "text")
    inner = _object(raw.get(type_)) or _object(raw.get("text"))
    reader = _READERS.get(type_)
    if type_ in _MEDIA:
        return _media(type_, inner)
    if type_ == "contacts":
        return MessageContent(type_, "A contact card.", tuple(_cards(raw.get("contacts")))[:50])
    if reader is None:
        return MessageContent(type_, orjson.dumps(inner).decode()[:_LONGEST] if inner else "")
    text, lines = reader(inner)
    name = _text(inner.get("name")) if type_ == "template" else None
    return MessageContent(type_, text[:_LONGEST], tuple(lines)[:50], name)


def _text(value: Any) -> str:
    return value if isinstance(value, str) else "" if value is None else str(value)


def _object(value: Any) -> Mapping[str, Any]:
    return value if isinstance(value, Mapping) else {}


def _list(value: Any) -> list[Any]:
    return value if isinstance(value, list) else []


def _media(type_: str, inner: Mapping[str, Any]) -> MessageContent:
    known = [_text(inner[name]) for name in ("filename", "mime_type", "link") if inner.get(name)]
    kind = {"voice": "audio", "sticker": "image"}.get(type_, type_)
    is_voice = inner.get("voice") is True
    file = MediaFile(_text(inner["id"]), _text(inner.get("mime_type")), kind, is_voice) if inner.get("id") else None
    return MessageContent(type_, _text(inner.get("caption"))[:_LONGEST], tuple(known), file=file)


def _plain(inner: Mapping[str, Any]) -> tuple[str, list[str]]:
    return _text(inner.get("body")), []


def _button(inner: Mapping[str, Any]) -> tuple[str, list[str]]:
    return _text(inner.get("text")), []


def _reaction(inner: Mapping[str, Any]) -> tuple[str, list[str]]:
    return _text(inner.get("emoji")), []


def _location(inner: Mapping[str, Any]) -> tuple[str, list[str]]:
    place = ", ".join(_text(inner[name]) for name in ("name", "address") if inner.get(name))
    return place, [f"{_text(inner.get('latitude'))}, {_text(inner.get('longitude'))}"]


def _interactive(inner: Mapping[str, Any]) -> tuple[str, list[str]]:
    pressed = _object(inner.get("button_reply")) or _object(inner.get("list_reply"))
    if pressed:
        return _text(pressed.get("title")), []
    if reply := _object(inner.get("nfm_reply")):
        return _text(reply.get("body")), [_text(reply.get("response_json"))[:_LONGEST]]
    if reply := _object(inner.get(_text(inner.get("type")))):  # a call permission, or a type that is new
        return "", [orjson.dumps(reply).decode()[:_LONGEST]]
    parts = [_text(_object(inner.get(part)).get("text")) for part in ("header", "body", "footer")]
    return "\n".join(filter(None, parts)), list(_choices(_object(inner.get("action"))))


def _choices(action: Mapping[str, Any]) -> Iterator[str]:
    for button in _list(action.get("buttons")):
        yield f"[{_text(_object(_object(button).get('reply')).get('title'))}]"
    for section in _list(action.get("sections")):
        for row in _list(_object(section).get("rows")):
            yield f"• {_text(_object(row).get('title'))}"
    if link := _object(action.get("parameters")).get("url"):
        yield _text(link)


def _template(inner: Mapping[str, Any]) -> tuple[str, list[str]]:
    language = inner.get("language")
    code = _text(_object(language).get("code")) or _text(language if isinstance(language, str) else "")
    lines = []
    for component in _list(inner.get("components")):
        part = _object(component)
        values = [_value(_object(parameter)) for parameter in _list(part.get("parameters"))]
        if values:
            lines.append(f"{_text(part.get('type')).lower()}: {' · '.join(values)}")
    return f"{_text(inner.get('name'))} ({code})", lines


def _value(parameter: Mapping[str, Any]) -> str:
    named = f"{parameter['parameter_name']} = " if parameter.get("parameter_name") else ""
    given = parameter.get(str(parameter.get("type")))
    if isinstance(given, Mapping):
        given = given.get("fallback_value") or given.get("link") or given.get("id")
    return f"{named}{_text(given)}"


def _cards(contacts: Any) -> Iterator[str]:
    for card in map(_object, _list(contacts)):
        phones = map(_object, _list(card.get("phones")))
        known = [
            _object(card.get("name")).get("formatted_name"),
            *(one.get("phone") or one.get("wa_id") for one in phones),
        ]
        if line := ", ".join(filter(None, map(_text, known))):
            yield line[:_LONGEST]


def _system(inner: Mapping[str, Any]) -> tuple[str, list[str]]:
    return _text(inner.get("body")), []


_READERS: Final = {
    "text": _plain,
    "button": _button,
    "reaction": _reaction,
    "location": _location,
    "interactive": _interactive,
    "template": _template,
    "system": _system,
}
