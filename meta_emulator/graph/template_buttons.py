"""Buttons of a template send: each one's parameter against its definition (reference 3.1)."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from meta_emulator.errors import GraphError, invalid, missing, parameter
from meta_emulator.graph.interactive import check_call_minutes, check_product_sections
from meta_emulator.graph.template_parameters import VARIABLE, check_type, objects, single, text_value

CODE_LENGTH = 15
_COUPON_LENGTH = 20
_URL_LENGTH = 2000
_INDEX = re.compile(r"[0-9]{1,3}")


@dataclass(frozen=True, slots=True)
class _Button:
    """A defined button with its sent parameters; ``code`` is the body's one-time code, if it has one."""

    position: int
    definition: dict[str, Any]
    parameters: list[dict[str, Any]]
    code: str

    @property
    def text(self) -> str:
        return str(self.definition.get("text", ""))

    def required(self, kind: str, label: str) -> dict[str, Any]:
        """Return the only parameter, which must be there."""
        if not self.parameters:
            raise missing(f"buttons: Button at index {self.position} of type {label} requires a parameter")
        return single(self.parameters, kind, "buttons")

    def action(self, label: str) -> dict[str, Any]:
        """Return the object ``action`` of the only parameter."""
        found = self.required("action", label).get("action")
        if not isinstance(found, dict):
            raise missing(f"buttons: Button at index {self.position} of type {label} requires an action")
        return found


def render_buttons(defined: list[dict[str, Any]], given: list[dict[str, Any]], code: str) -> list[dict[str, Any]]:
    """Return the defined buttons with their values; raise Meta's error for parameters that do not fit."""
    by_index: dict[int, dict[str, Any]] = {}
    for item in given:
        index = str(item.get("index", ""))
        if not _INDEX.fullmatch(index) or int(index) >= len(defined):
            raise GraphError(132012, f"buttons: there is no button at index {index or '(none)'}")
        if int(index) in by_index:
            raise parameter(f"Param template['components'] has more than one button at index {index}.")
        by_index[int(index)] = item
    return [_render(position, definition, by_index.get(position), code) for position, definition in enumerate(defined)]


def _render(position: int, definition: dict[str, Any], given: dict[str, Any] | None, code: str) -> dict[str, Any]:
    kind = str(definition.get("type", "")).upper()
    if given is not None:
        sub_type, wanted = str(given.get("sub_type", "")).lower(), {"OTP": "url"}.get(kind, kind.lower())
        if sub_type != wanted:
            raise GraphError(132012, f"buttons: Button at index {position} is of type {wanted}, received {sub_type}")
    button = _Button(position, definition, objects(given or {}, "parameters"), code)
    return {"type": kind, "text": button.text, **_KINDS.get(kind, _fixed)(button)}


def _fixed(button: _Button) -> dict[str, Any]:
    if button.parameters:
        raise GraphError(132000, f"buttons: Button at index {button.position} takes no parameter")
    return {}


def _quick_reply(button: _Button) -> dict[str, Any]:
    if not button.parameters:
        return {"payload": button.text}
    payload = single(button.parameters, "payload", "buttons").get("payload")
    if not isinstance(payload, str) or not payload:
        raise missing("Parameter of type payload is missing payload value")
    return {"payload": payload}


def _url(button: _Button) -> dict[str, Any]:
    url = str(button.definition.get("url", ""))
    if not VARIABLE.search(url):
        return {"url": url, **_fixed(button)}
    suffix = text_value(button.required("text", "Url"), "buttons")
    url = VARIABLE.sub(lambda _: suffix, url)
    if len(url) > _URL_LENGTH:
        raise GraphError(132005, f"buttons: the URL is longer than {_URL_LENGTH} characters.")
    return {"url": url}


def _one_time_code(button: _Button) -> dict[str, Any]:
    code = text_value(button.required("text", "Url"), "buttons")
    if len(code) > CODE_LENGTH:
        raise invalid(f"buttons: the code is longer than {CODE_LENGTH} characters.")
    if code != button.code:
        raise invalid("buttons: the code is not that of the body.")
    return {"text": button.text or "Copy code", "code": code}


def _copy_code(button: _Button) -> dict[str, Any]:
    coupon = button.required("coupon_code", "CopyCode").get("coupon_code")
    if not isinstance(coupon, str) or not coupon:
        raise missing("Parameter of type coupon_code is missing coupon_code value")
    if len(coupon) > _COUPON_LENGTH:
        raise invalid(f"buttons: the code is longer than {_COUPON_LENGTH} characters.")
    return {"text": button.text or "Copy offer code", "code": coupon}


def _phone_number(button: _Button) -> dict[str, Any]:
    return {"phone_number": str(button.definition.get("phone_number", "")), **_fixed(button)}


def _optional_action(label: str) -> Callable[[_Button], dict[str, Any]]:
    def render(button: _Button) -> dict[str, Any]:
        if button.parameters:
            button.action(label)
        return {}

    return render


def _products(button: _Button) -> dict[str, Any]:
    check_product_sections(button.action("Mpm"))
    return {}


def _order_details(button: _Button) -> dict[str, Any]:
    order = button.action("OrderDetails").get("order_details")
    if not isinstance(order, dict) or not order:
        raise missing(f"buttons: Button at index {button.position} of type OrderDetails requires order_details")
    return {}


def _voice_call(button: _Button) -> dict[str, Any]:
    for item in button.parameters:
        if item.get("type") == "payload":
            if not isinstance(item.get("payload"), str):
                raise missing("Parameter of type payload is missing payload value")
        else:
            check_type(item, "ttl_minutes", "buttons")
            check_call_minutes(item.get("ttl_minutes"))
    return {}


_KINDS: dict[str, Callable[[_Button], dict[str, Any]]] = {
    "QUICK_REPLY": _quick_reply,
    "URL": _url,
    "OTP": _one_time_code,
    "COPY_CODE": _copy_code,
    "PHONE_NUMBER": _phone_number,
    "FLOW": _optional_action("Flow"),
    "CATALOG": _optional_action("Catalog"),
    "MPM": _products,
    "ORDER_DETAILS": _order_details,
    "VOICE_CALL": _voice_call,
}
