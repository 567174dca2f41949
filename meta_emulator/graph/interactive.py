"""Validation of interactive messages (reference 2.4, 2.5)."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from meta_emulator.errors import invalid, missing, parameter
from meta_emulator.graph.call import Call
from meta_emulator.graph.content_parts import check_media

_HEADER_MEDIA = ("image", "video", "document")


@dataclass(frozen=True, slots=True)
class _Rules:
    """Rules of a type: header kinds, maximum body length, required parts."""

    action: Callable[[dict[str, Any]], None]
    headers: tuple[str, ...] = ()
    body: int = 1024
    body_required: bool = True
    header_required: bool = False
    bare: bool = False


def check_interactive(call: Call, content: Any) -> None:
    """Raise Meta's error for an invalid ``interactive`` object."""
    if not isinstance(content, dict):
        raise parameter("Param interactive must be an object.")
    kind = content.get("type")
    rules = _RULES.get(kind) if isinstance(kind, str) else None
    if rules is None:
        raise parameter(f"Param interactive['type'] must be one of {{{', '.join(_RULES).upper()}}}.")
    _header(call, content.get("header"), rules)
    _part(content, "body", rules.body, required=rules.body_required)
    _part(content, "footer", 60, required=False)
    if rules.bare and ("footer" in content or "header" in content):
        raise invalid(f"Header and footer are not supported for interactive type {kind}.")
    action = content.get("action")
    if not isinstance(action, dict):
        raise missing("interactive: action is required.")
    rules.action(action)
    if kind == "carousel":
        _card_headers(call, action["cards"])


def _header(call: Call, header: Any, rules: _Rules) -> None:
    if header is None:
        if rules.header_required:
            raise missing("interactive: header is required.")
        return
    kind = header.get("type") if isinstance(header, dict) else None
    if kind not in rules.headers:
        raise invalid(f"Header type invalid. Allowed: {', '.join(rules.headers) or 'none'}.")
    if kind == "text":
        _length(header.get("text"), "Header text", 60)
    else:
        check_media(call, kind, header.get(kind), f"interactive header {kind}")


def _part(content: dict[str, Any], name: str, maximum: int, *, required: bool) -> None:
    part = content.get(name)
    if part is None and not required:
        return
    if not isinstance(part, dict) or "text" not in part:
        raise missing(f"interactive: {name}.text is required.")
    _length(part["text"], f"{name.capitalize()} text", maximum)


def _length(value: Any, what: str, maximum: int, minimum: int = 1) -> None:
    if not isinstance(value, str) or not minimum <= len(value) <= maximum:
        raise invalid(f"{what} length invalid. Min length: {minimum}, Max length: {maximum}")


def _count(items: Any, what: str, maximum: int, minimum: int = 1) -> list[dict[str, Any]]:
    size = len(items) if isinstance(items, list) else 0
    if not minimum <= size <= maximum or not all(isinstance(item, dict) for item in items):
        raise invalid(f"Invalid {what} count. Min allowed {what}: {minimum}, Max allowed {what}: {maximum}")
    found: list[dict[str, Any]] = items
    return found


def _unique(values: list[Any], what: str) -> None:
    if len(set(map(str, values))) < len(values):
        raise invalid(f"{what} must be unique.")


def _replies(kind: str) -> Callable[[dict[str, Any]], None]:
    """Return the check of an action with up to three buttons of one type, ``reply`` or ``quick_reply``."""

    def check_action(action: dict[str, Any]) -> None:
        replies = []
        for button in _count(action.get("buttons"), "buttons", 3):
            reply = button.get(kind)
            if button.get("type") != kind or not isinstance(reply, dict):
                raise invalid(f"Button type must be {kind}, with a {kind} object.")
            _length(reply.get("id"), "Button id", 256)
            _length(reply.get("title"), "Button title", 20)
            if reply["id"] != reply["id"].strip():
                raise invalid("Button id must have no leading or trailing spaces.")
            replies.append(reply)
        _unique([reply["id"] for reply in replies], "Button ids")
        _unique([reply["title"] for reply in replies], "Button titles")

    return check_action


def _list(action: dict[str, Any]) -> None:
    _length(action.get("button"), "List button label", 20)
    sections = _count(action.get("sections"), "sections", 10)
    rows: list[dict[str, Any]] = []
    for section in sections:
        if len(sections) > 1 or "title" in section:
            _length(section.get("title"), "Section title", 24)
        rows += _count(section.get("rows"), "rows", 10)
    if len(rows) > 10:
        raise invalid("Total row count exceed max allowed count: 10")
    for row in rows:
        _length(row.get("id"), "Row id", 200)
        _length(row.get("title"), "Row title", 24)
        if "description" in row:
            _length(row["description"], "Row description", 72, minimum=0)
    _unique([row["id"] for row in rows], "Row ids")


def _named(name: str, check: Callable[[dict[str, Any]], None]) -> Callable[[dict[str, Any]], None]:
    """Return the check of an action with a name and ``parameters``."""

    def check_action(action: dict[str, Any]) -> None:
        if action.get("name") != name:
            raise invalid(f"action: name must be {name}.")
        parameters = action.get("parameters")
        if not isinstance(parameters, dict):
            raise missing("action: parameters is required.")
        check(parameters)

    return check_action


def _plain(name: str) -> Callable[[dict[str, Any]], None]:
    """Return the check of an action with a name only."""

    def check_action(action: dict[str, Any]) -> None:
        if action.get("name") != name:
            raise invalid(f"action: name must be {name}.")

    return check_action


def _cta_url(parameters: dict[str, Any]) -> None:
    _length(parameters.get("display_text"), "Display text", 20)
    url = parameters.get("url")
    if not isinstance(url, str) or not url.lower().startswith(("http://", "https://")):
        raise invalid("action: url must be a http or https URL.")


def _flow(parameters: dict[str, Any]) -> None:
    if ("flow_id" in parameters) == ("flow_name" in parameters):
        raise invalid("action: exactly one of flow_id and flow_name is required.")
    if not parameters.get("flow_message_version"):
        raise missing("action: flow_message_version is required.")
    _length(parameters.get("flow_cta"), "Flow call to action", 30)
    if parameters.get("mode", "published") not in ("published", "draft"):
        raise invalid("action: mode must be published or draft.")
    flow_action = parameters.get("flow_action", "navigate")
    if flow_action not in ("navigate", "data_exchange"):
        raise invalid("action: flow_action must be navigate or data_exchange.")
    payload = parameters.get("flow_action_payload")
    if flow_action == "data_exchange" and payload is not None:
        raise invalid("action: flow_action_payload is only for navigate.")
    if isinstance(payload, dict) and "data" in payload and not payload["data"]:
        raise invalid("action: flow_action_payload.data must be a non-empty object.")


def _product(action: dict[str, Any]) -> None:
    for name in ("catalog_id", "product_retailer_id"):
        if not action.get(name):
            raise missing(f"action: {name} is required.")


def _product_list(action: dict[str, Any]) -> None:
    if not action.get("catalog_id"):
        raise missing("action: catalog_id is required.")
    check_product_sections(action)


def check_product_sections(action: dict[str, Any]) -> None:
    """Check ``sections`` of products: 1 to 10 with at most 30 products in total."""
    sections = _count(action.get("sections"), "sections", 10)
    items = 0
    for section in sections:
        if len(sections) > 1:
            _length(section.get("title"), "Section title", 24)
        items += len(_count(section.get("product_items"), "products", 30))
    if items > 30:
        raise invalid("Total product count exceed max allowed count: 30")


def _voice_call(parameters: dict[str, Any]) -> None:
    if "display_text" in parameters:
        _length(parameters["display_text"], "Display text", 20)
    check_call_minutes(parameters.get("ttl_minutes", 10080))


def check_call_minutes(minutes: Any) -> None:
    """Check ``ttl_minutes`` of a button that calls the business."""
    if not isinstance(minutes, int) or isinstance(minutes, bool) or not 1 <= minutes <= 43200:
        raise invalid("action: ttl_minutes must be 1 to 43200.")


def _address(parameters: dict[str, Any]) -> None:
    if parameters.get("country") not in ("IN", "SG"):
        raise invalid("action: country must be IN.")


def _carousel(action: dict[str, Any]) -> None:
    cards = _count(action.get("cards"), "cards", 10, minimum=2)
    kinds = {str(card.get("type")) for card in cards}
    if len(kinds) != 1 or not kinds <= _CARDS.keys():
        raise invalid(f"All cards must be of the same type, one of {', '.join(_CARDS)}.")
    for position, card in enumerate(cards):
        if card.get("card_index") != position:
            raise invalid("card_index must count from 0.")
        _part(card, "body", 160, required=False)
        if card.get("body") is not None and card["body"]["text"].count("\n") > 2:
            raise invalid("Card body text may have at most 2 line breaks.")
        if not isinstance(card.get("action"), dict):
            raise missing("action: every card needs an action.")
        _CARDS[card["type"]](card["action"])
    if len({str(card["action"].get("catalog_id")) for card in cards}) > 1:
        raise invalid("All cards must have the same catalog_id.")


def _card_headers(call: Call, cards: list[dict[str, Any]]) -> None:
    """Check that all cards have an image, or all a video; cards of products need none."""
    for card in cards:
        _header(call, card.get("header"), _Rules(_carousel, _CARD_HEADERS, header_required=card["type"] != "product"))
    if len({card["header"]["type"] for card in cards if card.get("header")}) > 1:
        raise invalid("All cards must have the same kind of header.")


def _payment(name: str) -> Callable[[dict[str, Any]], None]:
    def check(parameters: dict[str, Any]) -> None:
        _length(parameters.get("reference_id"), "Reference id", 35)
        if not isinstance(parameters.get("order"), dict):
            raise missing("action: order is required.")

    return _named(name, check)


_open_url = _named("cta_url", _cta_url)
_quick_replies = _replies("quick_reply")


def _card_action(action: dict[str, Any]) -> None:
    """Check the action of a media card: a URL, or quick replies, which SDKs send under the same type (observed)."""
    (_quick_replies if "buttons" in action else _open_url)(action)


_CARD_HEADERS = ("image", "video")
_CARDS: dict[str, Callable[[dict[str, Any]], None]] = {"cta_url": _card_action, "product": _product}
_ANY_HEADER = ("text", *_HEADER_MEDIA)

_RULES: dict[str, _Rules] = {
    "button": _Rules(_replies("reply"), _ANY_HEADER),
    "list": _Rules(_list, ("text",), body=4096),
    "cta_url": _Rules(_open_url, _ANY_HEADER),
    "flow": _Rules(_named("flow", _flow), _ANY_HEADER),
    "product": _Rules(_product, body_required=False),
    "product_list": _Rules(_product_list, ("text",), header_required=True),
    "catalog_message": _Rules(_plain("catalog_message")),
    "location_request_message": _Rules(_plain("send_location")),
    "address_message": _Rules(_named("address_message", _address)),
    "call_permission_request": _Rules(_plain("call_permission_request")),
    "voice_call": _Rules(_named("voice_call", _voice_call)),
    "carousel": _Rules(_carousel, bare=True),
    "request_contact_info": _Rules(_plain("request_contact_info")),
    "order_details": _Rules(_payment("review_and_pay"), ("image",)),
    "order_status": _Rules(_payment("review_order")),
}
