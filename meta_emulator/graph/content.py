"""Validation of message content (reference 2.3)."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from meta_emulator.errors import GraphError, invalid, missing, parameter
from meta_emulator.graph.call import Call
from meta_emulator.graph.content_parts import MEDIA_KINDS, check_length, check_location, check_media
from meta_emulator.graph.interactive import check_interactive
from meta_emulator.graph.template_send import check_template

_BODY = 4096
_CAPTION = 1024
_CARDS = 257
_CAPTIONED = {"image", "video", "document"}


@dataclass(frozen=True, slots=True)
class CheckedContent:
    """Valid content with its pricing category and, for a template, the rendered form."""

    content: Any
    category: str = "service"
    rendered: dict[str, Any] | None = None


def check_content(call: Call, kind: Any) -> CheckedContent:
    """Validate and return the content object of a message; raise Meta's error."""
    if not isinstance(kind, str) or kind not in _CHECKS:
        raise GraphError(131051, "Message type is currently not supported.")
    content = call.nested(kind)
    if content is None:
        raise parameter(f"The parameter {kind} is required.")
    return _CHECKS[kind](call, content)


def _text(_: Call, content: Any) -> CheckedContent:
    if not isinstance(content, dict):
        raise parameter("Param text must be an object.")
    if "body" not in content:
        raise parameter("The parameter text['body'] is required.")
    check_length(content["body"], "text['body']", _BODY)
    if content.get("preview_url", False) not in (True, False, None, "true", "false"):
        raise parameter("Param text['preview_url'] must be a boolean.")
    return CheckedContent(content)


def _media(kind: str) -> Callable[[Call, Any], CheckedContent]:
    def check(call: Call, content: Any) -> CheckedContent:
        check_media(call, kind, content)
        if "caption" in content:
            if kind not in _CAPTIONED:
                raise parameter(f"Param {kind}['caption'] is not supported.")
            check_length(content["caption"], f"{kind}['caption']", _CAPTION, required=False)
        if "filename" in content:
            check_length(content["filename"], f"{kind}['filename']", 240, required=False)
        return CheckedContent(content)

    return check


def _location(_: Call, content: Any) -> CheckedContent:
    check_location(content)
    return CheckedContent(content)


def _contacts(_: Call, content: Any) -> CheckedContent:
    if not isinstance(content, list) or not content:
        raise parameter("Param contacts must be a non-empty array.")
    if len(content) > _CARDS:
        raise invalid(f"At most {_CARDS} contact cards can be sent.")
    for position, card in enumerate(content):
        name = card.get("name") if isinstance(card, dict) else None
        if not isinstance(name, dict) or not name.get("formatted_name"):
            raise missing(f"contacts: card {position} needs name.formatted_name.")
        parts = ("first_name", "last_name", "middle_name", "prefix", "suffix")
        if not any(name.get(part) for part in parts):
            raise missing(f"contacts: card {position} needs one more part of the name.")
    return CheckedContent(content)


def _reaction(_: Call, content: Any) -> CheckedContent:
    if not isinstance(content, dict):
        raise parameter("Param reaction must be an object.")
    if not isinstance(content.get("message_id"), str) or not content["message_id"]:
        raise missing("reaction: message_id is required.")
    if not isinstance(content.get("emoji", ""), str):
        raise parameter("Param reaction['emoji'] must be a string.")
    return CheckedContent(content)


def check_pin(call: Call) -> CheckedContent:
    """Validate and return the pin or unpin of a group message (reference 2.7); raise Meta's error."""
    content = call.nested("pin")
    if not isinstance(content, dict) or content.get("type") not in ("pin", "unpin"):
        raise parameter("Param pin['type'] must be one of {PIN, UNPIN}.")
    if not isinstance(content.get("message_id"), str) or not content["message_id"]:
        raise missing("pin: message_id is required.")
    if not str(content.get("expiration_days", 7)).isdecimal():
        raise invalid("pin: expiration_days must be a number.")
    return CheckedContent(content)


def _interactive(call: Call, content: Any) -> CheckedContent:
    check_interactive(call, content)
    return CheckedContent(content)


def _template(call: Call, content: Any) -> CheckedContent:
    template, rendered = check_template(call, content)
    return CheckedContent(content, category=template.category.lower(), rendered=rendered)


_CHECKS: dict[str, Callable[[Call, Any], CheckedContent]] = {
    "interactive": _interactive,
    "template": _template,
    "text": _text,
    "location": _location,
    "contacts": _contacts,
    "reaction": _reaction,
    **{kind: _media(kind) for kind in MEDIA_KINDS},
}
