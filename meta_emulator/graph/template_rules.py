"""Validation of template definitions (reference 3.3, 6.7)."""

from __future__ import annotations

import re
from typing import Any

from meta_emulator.errors import GraphError, parameter
from meta_emulator.graph.template_parameters import VARIABLE

CATEGORIES = ("AUTHENTICATION", "MARKETING", "UTILITY")
_NAME = re.compile(r"[a-z0-9_]{1,512}")
_LANGUAGE = re.compile(r"[a-z]{2,3}(?:_[A-Z]{2,3})?")
_AT_MOST = {
    "QUICK_REPLY": 10,
    "URL": 2,
    "PHONE_NUMBER": 1,
    "COPY_CODE": 1,
    "FLOW": 1,
    "VOICE_CALL": 1,
    "CATALOG": 1,
    "MPM": 1,
    "SPM": 1,
    "OTP": 1,
    "ORDER_DETAILS": 1,
    "REQUEST_CONTACT_INFO": 1,
}
_KINDS = ("HEADER", "BODY", "FOOTER", "BUTTONS", "CAROUSEL", "LIMITED_TIME_OFFER", "CALL_PERMISSION_REQUEST")


def template_error(subcode: int, title: str, text: str, field: str = "") -> GraphError:
    """Return template management's error: code 100 with a subcode and a user message."""
    return GraphError(
        100,
        message="Invalid parameter",
        subcode=subcode,
        transient=False,
        user_title=title,
        user_message=text,
        blame=[[field]] if field else None,
    )


def check_name(name: str) -> None:
    """Check a name: lower-case letters, digits and underscores, up to 512."""
    if not _NAME.fullmatch(name):
        raise template_error(
            2388046,
            "Name format is incorrect",
            "Only lower-case letters, digits and underscores are allowed.",
            "name",
        )


def check_language(language: str) -> None:
    """Check a language code such as ``en`` or ``en_US``."""
    if not _LANGUAGE.fullmatch(language):
        raise parameter("Param language must be a language code such as en_US.")


def normalize_components(components: Any, category: str) -> list[dict[str, Any]]:
    """Validate components and return them with upper-case types; raise Meta's error."""
    if not isinstance(components, list) or not all(isinstance(item, dict) for item in components):
        raise parameter("The parameter components is required.")
    found = [_upper(item) for item in components]
    kinds = [item["type"] for item in found]
    for kind in kinds:
        if kind not in _KINDS:
            raise parameter(f"Param components has an unknown type {kind}.")
    if "BODY" not in kinds:
        raise template_error(2388043, "Missing component", "A template needs a body.", "components")
    for item in found:
        if item["type"] == "HEADER":
            _check_header(item)
        elif item["type"] == "BODY":
            _check_body(item, category)
        elif item["type"] == "FOOTER":
            _check_footer(item, category)
        elif item["type"] == "BUTTONS":
            _check_buttons(item)
        elif item["type"] == "CAROUSEL":
            _check_cards(item, category)
    return found


def variables_of(components: list[dict[str, Any]]) -> list[str]:
    """Return the names of all variables in texts, in order; positional ones are digits."""
    return [name for item in components for name in VARIABLE.findall(str(item.get("text", "")))]


def _upper(item: dict[str, Any]) -> dict[str, Any]:
    changed = {**item, "type": str(item.get("type", "")).upper()}
    if "format" in item:
        changed["format"] = str(item["format"]).upper()
    if item.get("buttons"):
        changed["buttons"] = [
            {**button, "type": str(button.get("type", "")).upper()} for button in _objects(item, "buttons")
        ]
    return changed


def _objects(container: dict[str, Any], name: str) -> list[dict[str, Any]]:
    items = container.get(name)
    if not isinstance(items, list) or not all(isinstance(item, dict) for item in items):
        raise parameter(f"Param components['{name}'] must be an array of objects.")
    return items


def _example(item: dict[str, Any]) -> dict[str, Any]:
    example = item.get("example") or {}
    if not isinstance(example, dict):
        raise parameter("Param components['example'] must be an object.")
    return example


def _check_header(item: dict[str, Any]) -> None:
    kind = item.get("format", "TEXT")
    example = _example(item)
    if kind == "TEXT":
        text = item.get("text")
        if not isinstance(text, str) or not text or len(text) > 60 or len(VARIABLE.findall(text)) > 1:
            raise template_error(2388047, "Header format is incorrect", "At most 60 characters and one variable.")
        if VARIABLE.search(text) and not (example.get("header_text") or example.get("header_text_named_params")):
            raise template_error(2388043, "Missing example", "The header's variable needs an example.")
    elif kind in ("IMAGE", "VIDEO", "DOCUMENT", "GIF"):
        if not example.get("header_handle"):
            raise template_error(2388043, "Missing example", "A media header needs example.header_handle.")
    elif kind not in ("LOCATION", "PRODUCT"):
        raise template_error(2388047, "Header format is incorrect", f"{kind} is not a header format.")


def _check_body(item: dict[str, Any], category: str) -> None:
    if category == "AUTHENTICATION":
        if "text" in item:
            raise template_error(2388072, "Body format is incorrect", "Authentication templates have a fixed body.")
        return
    text = item.get("text")
    if not isinstance(text, str) or not text:
        raise template_error(2388043, "Missing text", "The body needs a text.")
    if len(text) > 1024:
        raise template_error(2388040, "Character limit exceeded", "The body has at most 1024 characters.")
    variables = VARIABLE.findall(text)
    if not variables:
        return
    example = _example(item)
    if not (example.get("body_text") or example.get("body_text_named_params")):
        raise template_error(2388043, "Missing example", "The body's variables need examples.")
    stripped = text.strip()
    if stripped.startswith("{{") or stripped.endswith("}}"):
        raise template_error(2388299, "Variables at the ends", "Variables cannot be at the start or end of the body.")
    if len(VARIABLE.sub(" ", text).split()) <= 2 * len(set(variables)):
        raise template_error(2388293, "Too many variables", "There are too many variables for this length.")


def _check_footer(item: dict[str, Any], category: str) -> None:
    if category == "AUTHENTICATION":
        return
    text = item.get("text")
    if not isinstance(text, str) or not 1 <= len(text) <= 60 or VARIABLE.search(text):
        raise template_error(2388073, "Footer format is incorrect", "At most 60 characters and no variable.")


def _check_buttons(item: dict[str, Any]) -> None:
    buttons = item.get("buttons")
    if not isinstance(buttons, list) or not 1 <= len(buttons) <= 10:
        raise template_error(2388060, "Buttons are incorrect", "There can be 1 to 10 buttons.")
    kinds = [button["type"] for button in buttons]
    for kind in set(kinds):
        if kind not in _AT_MOST or kinds.count(kind) > _AT_MOST[kind]:
            raise template_error(2388060, "Buttons are incorrect", f"Too many buttons of type {kind}, or unknown.")
    positions = [position for position, kind in enumerate(kinds) if kind == "QUICK_REPLY"]
    if positions and positions[-1] - positions[0] + 1 != len(positions):
        raise template_error(2388060, "Buttons are incorrect", "Quick replies must be adjacent.")
    for button in buttons:
        text = button.get("text", "")
        if button["type"] not in ("COPY_CODE", "OTP") and not (isinstance(text, str) and 1 <= len(text) <= 25):
            raise template_error(2388060, "Buttons are incorrect", "A button's text has 1 to 25 characters.")
        if button["type"] == "URL":
            _check_url(button)


def _check_url(button: dict[str, Any]) -> None:
    url = button.get("url")
    if not isinstance(url, str) or not url.startswith(("http://", "https://")) or len(url) > 2000:
        raise template_error(2388060, "Buttons are incorrect", "A URL button needs a URL.")
    if VARIABLE.search(url):
        if not url.rstrip().endswith("}}") or len(VARIABLE.findall(url)) > 1:
            raise template_error(2388060, "Buttons are incorrect", "A URL has one variable, at its end.")
        if not button.get("example"):
            raise template_error(2388043, "Missing example", "A URL with a variable needs an example.")


def _check_cards(item: dict[str, Any], category: str) -> None:
    cards = _objects(item, "cards")
    if not 2 <= len(cards) <= 10:
        raise template_error(2388043, "Cards are incorrect", "A carousel has 2 to 10 cards.")
    for card in cards:
        components = [_upper(part) for part in _objects(card, "components")]
        card["components"] = components
        for part in components:
            if part["type"] == "HEADER":
                _check_header(part)
            elif part["type"] == "BODY":
                _check_body(part, category)
            elif part["type"] == "BUTTONS":
                _check_buttons(part)
