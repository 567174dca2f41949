"""Rendering of templates: parameters checked against the definition (reference 3.1, 6.6)."""

from __future__ import annotations

import re
from typing import Any

from meta_emulator.errors import GraphError, invalid, missing, parameter
from meta_emulator.graph.call import Call
from meta_emulator.graph.content_parts import check_media
from meta_emulator.records import Template

VARIABLE = re.compile(r"\{\{\s*([A-Za-z0-9_]+)\s*\}\}")
_FORBIDDEN = re.compile(r"[\n\r\t]| {5,}")
_HEADER_MEDIA = ("IMAGE", "VIDEO", "DOCUMENT")
_INDEX = re.compile(r"[0-9]{1,3}")
_TEXTUAL = ("text", "currency", "date_time")
_CODE_LENGTH = 15
_COUPON_LENGTH = 20


def check_template(call: Call, content: Any) -> tuple[Template, dict[str, Any]]:
    """Return the template and its rendered form; raise Meta's error."""
    template = _stored(call, content)
    given = _objects(content, "components")
    renderer = _Renderer(call, template)
    return template, renderer.render(template.components, given, prefix="")


def _stored(call: Call, content: Any) -> Template:
    if not isinstance(content, dict):
        raise parameter("Param template must be an object.")
    name = content.get("name")
    if not isinstance(name, str) or not name:
        raise parameter("The parameter template['name'] is required.")
    language = content.get("language")
    if not isinstance(language, dict) or not isinstance(language.get("code"), str):
        raise parameter("The parameter template['language']['code'] is required.")
    if str(language.get("policy", "deterministic")).lower() != "deterministic":
        raise parameter("Param template['language']['policy'] must be one of {DETERMINISTIC}.")
    template = call.world.find_template(name, language["code"])
    if template is None or template.status not in ("APPROVED", "PAUSED", "DISABLED"):
        raise GraphError(132001, f"template name ({name}) does not exist in {language['code']}")
    if template.status == "PAUSED":
        raise GraphError(132015, "The template is paused because of its low quality.")
    if template.status == "DISABLED":
        raise GraphError(132016, "The template is disabled because of its low quality.")
    return template


class _Renderer:
    """Render the components of one template, or of one of its cards."""

    def __init__(self, call: Call, template: Template) -> None:
        self._call = call
        self._template = template

    def render(self, definitions: list[dict[str, Any]], given: list[dict[str, Any]], *, prefix: str) -> dict[str, Any]:
        """Return header, body, footer, buttons and cards with their values."""
        shown: dict[str, Any] = {}
        by_type: dict[str, dict[str, Any]] = {
            str(item.get("type", "")).lower(): item for item in given if item.get("type") != "button"
        }
        buttons = [item for item in given if str(item.get("type", "")).lower() == "button"]
        defined = {str(item.get("type", "")).upper() for item in definitions}
        for name in by_type:
            if name in ("header", "body", "carousel") and name.upper() not in defined:
                raise GraphError(132000, f"{prefix}{name}: the template has no such component.")
        for definition in definitions:
            kind = str(definition.get("type", "")).upper()
            sent = by_type.get(kind.lower(), {})
            if kind == "HEADER":
                shown["header"] = self._header(definition, sent, prefix)
            elif kind == "BODY":
                shown["body"] = self._body(definition, sent, prefix)
            elif kind == "FOOTER":
                shown["footer"] = str(definition.get("text", ""))
            elif kind == "CAROUSEL":
                shown["cards"] = self._cards(definition, sent)
        defined_buttons: list[dict[str, Any]] = next(
            (item["buttons"] for item in definitions if str(item.get("type", "")).upper() == "BUTTONS"), []
        )
        shown["buttons"] = self._buttons(defined_buttons, buttons)
        return shown

    def _header(self, definition: dict[str, Any], sent: dict[str, Any], prefix: str) -> dict[str, Any]:
        kind = str(definition.get("format", "TEXT")).upper()
        parameters = _objects(sent, "parameters")
        if kind == "TEXT":
            text = self._text(definition, parameters, f"{prefix}header", 60)
            return {"format": "TEXT", "text": text}
        received = str(parameters[0].get("type", "UNKNOWN")).upper() if parameters else "UNKNOWN"
        if received != kind or len(parameters) != 1:
            raise GraphError(132012, f"{prefix}header: Format mismatch, expected {kind}, received {received}")
        value = parameters[0].get(kind.lower())
        if kind in _HEADER_MEDIA:
            check_media(self._call, kind.lower(), value, f"{prefix}header {kind.lower()}")
        elif not isinstance(value, dict):
            raise missing(f"{prefix}header: {kind.lower()} is required.")
        return {"format": kind, kind.lower(): value}

    def _body(self, definition: dict[str, Any], sent: dict[str, Any], prefix: str) -> str:
        if self._template.category == "AUTHENTICATION" and "text" not in definition:
            text = "{{1}} is your verification code."
            if definition.get("add_security_recommendation"):
                text += " For your security, do not share this code."
            definition = {"text": text}
        return self._text(definition, _objects(sent, "parameters"), f"{prefix}body", 1024)

    def _text(self, definition: dict[str, Any], parameters: list[dict[str, Any]], where: str, maximum: int) -> str:
        """Return the text with the variables replaced by the parameters."""
        text = str(definition.get("text", ""))
        names = list(dict.fromkeys(VARIABLE.findall(text)))
        if len(parameters) != len(names):
            raise GraphError(
                132000,
                f"{where}: number of localizable_params ({len(parameters)}) does not match the expected "
                f"number of params ({len(names)})",
            )
        values = self._values(names, parameters, where)
        filled = VARIABLE.sub(lambda match: values[match[1]], text)
        if len(filled) > maximum:
            raise GraphError(132005, f"{where}: the text is longer than {maximum} characters.")
        return filled

    def _values(self, names: list[str], parameters: list[dict[str, Any]], where: str) -> dict[str, str]:
        if self._template.parameter_format == "NAMED":
            by_name = {str(item.get("parameter_name", "")): item for item in parameters}
            if set(by_name) != set(names):
                raise GraphError(132012, f"{where}: parameter names do not match: {', '.join(names)}")
            return {name: _value(by_name[name], where) for name in names}
        if any("parameter_name" in item for item in parameters):
            raise GraphError(132012, f"{where}: named parameters for a positional template.")
        ordered = sorted(names, key=lambda name: int(name) if name.isdigit() else 0)
        return {name: _value(item, where) for name, item in zip(ordered, parameters, strict=True)}

    def _cards(self, definition: dict[str, Any], sent: dict[str, Any]) -> list[dict[str, Any]]:
        defined, cards = definition.get("cards", []), _objects(sent, "cards")
        if len(cards) != len(defined):
            raise GraphError(132000, f"carousel: {len(cards)} cards, expected {len(defined)}")
        shown = []
        for position, (card, given) in enumerate(zip(defined, cards, strict=True)):
            prefix = f"card {position}: "
            components = _objects(given, "components")
            shown.append(self.render(card.get("components", []), components, prefix=prefix))
        return shown

    def _buttons(self, defined: list[dict[str, Any]], given: list[dict[str, Any]]) -> list[dict[str, Any]]:
        by_index: dict[int, dict[str, Any]] = {}
        for item in given:
            index = str(item.get("index", ""))
            if not _INDEX.fullmatch(index) or int(index) >= len(defined):
                raise GraphError(132012, f"buttons: there is no button at index {index or '(none)'}")
            by_index[int(index)] = item
        return [
            self._button(position, definition, by_index.get(position)) for position, definition in enumerate(defined)
        ]

    def _button(self, position: int, definition: dict[str, Any], given: dict[str, Any] | None) -> dict[str, Any]:
        kind = str(definition.get("type", "")).upper()
        shown = {"type": kind, "text": str(definition.get("text", ""))}
        parameters = _objects(given or {}, "parameters")
        sub_type = str((given or {}).get("sub_type", "")).lower()
        wanted = {"OTP": "url"}.get(kind, kind.lower())
        if given is not None and sub_type != wanted:
            raise GraphError(132012, f"buttons: Button at index {position} is of type {wanted}, received {sub_type}")
        if kind == "QUICK_REPLY":
            payload = parameters[0].get("payload") if parameters else None
            return {**shown, "payload": payload if isinstance(payload, str) else shown["text"]}
        if kind == "URL":
            return {**shown, "url": self._url(position, str(definition.get("url", "")), parameters)}
        if kind == "OTP":
            code = _required_text(position, "Url", parameters)
            if len(code) > _CODE_LENGTH:
                raise invalid(f"buttons: the code is longer than {_CODE_LENGTH} characters.")
            return {**shown, "text": shown["text"] or "Copy code", "code": code}
        if kind == "COPY_CODE":
            coupon = parameters[0].get("coupon_code") if parameters else None
            if not isinstance(coupon, str) or not 1 <= len(coupon) <= _COUPON_LENGTH:
                raise missing(f"buttons: Button at index {position} of type CopyCode requires a parameter")
            return {**shown, "text": shown["text"] or "Copy offer code", "code": coupon}
        if kind == "PHONE_NUMBER":
            return {**shown, "phone_number": str(definition.get("phone_number", ""))}
        return shown

    def _url(self, position: int, url: str, parameters: list[dict[str, Any]]) -> str:
        if not VARIABLE.search(url):
            if parameters:
                raise GraphError(132000, f"buttons: Button at index {position} takes no parameter")
            return url
        suffix = _required_text(position, "Url", parameters)
        return VARIABLE.sub(lambda _: suffix, url)


def _objects(container: dict[str, Any], name: str) -> list[dict[str, Any]]:
    """Return a list of objects from a sent object, empty if it is absent; raise error 100 for anything else."""
    items = container.get(name) or []
    if not isinstance(items, list) or not all(isinstance(item, dict) for item in items):
        raise parameter(f"Param template['{name}'] must be an array of objects.")
    return items


def _required_text(position: int, kind: str, parameters: list[dict[str, Any]]) -> str:
    if not parameters:
        raise missing(f"buttons: Button at index {position} of type {kind} requires a parameter")
    return _value(parameters[0], "buttons")


def _fallback(item: dict[str, Any], kind: str) -> Any:
    amount_or_date = item.get(kind)
    if not isinstance(amount_or_date, dict):
        raise parameter(f"Param {kind} must be an object.")
    return amount_or_date.get("fallback_value")


def _value(item: dict[str, Any], where: str) -> str:
    kind = item.get("type")
    if kind not in _TEXTUAL:
        raise GraphError(132012, f"{where}: Format mismatch, expected TEXT, received {str(kind).upper()}")
    value = item.get("text") if kind == "text" else _fallback(item, str(kind))
    if not isinstance(value, str) or not value:
        raise missing(f"Parameter of type {kind} is missing text value")
    if _FORBIDDEN.search(value):
        raise GraphError(100, "Param text cannot have new-line/tab characters or more than 4 consecutive spaces")
    return value
