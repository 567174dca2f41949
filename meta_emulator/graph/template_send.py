"""Rendering of templates: parameters checked against the definition (reference 3.1, 6.6)."""

from __future__ import annotations

from typing import Any

from meta_emulator.errors import GraphError, invalid, missing, parameter
from meta_emulator.graph.call import Call
from meta_emulator.graph.content_parts import check_location, check_media
from meta_emulator.graph.template_buttons import CODE_LENGTH, render_buttons
from meta_emulator.graph.template_parameters import VARIABLE, objects, single, text_value
from meta_emulator.records import Template

_HEADER_MEDIA = {"IMAGE": "image", "VIDEO": "video", "DOCUMENT": "document", "GIF": "video"}
_SENDABLE = ("header", "body", "button", "carousel", "limited_time_offer", "tap_target_configuration")


def check_template(call: Call, content: Any) -> tuple[Template, dict[str, Any]]:
    """Return the template and its rendered form; raise Meta's error."""
    template = _stored(call, content)
    given = objects(content, "components")
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
        defined = {str(item.get("type", "")).upper(): item for item in definitions}
        sent, buttons = _by_type(given, prefix)
        for name in sent:
            if name in _SENDABLE[:-1] and name.upper() not in defined:
                raise GraphError(132000, f"{prefix}{name}: the template has no such component.")
        for kind, definition in defined.items():
            component = sent.get(kind.lower(), {})
            if kind == "HEADER":
                shown["header"] = self._header(definition, component, prefix)
            elif kind == "BODY":
                shown["body"] = self._body(definition, component, prefix)
            elif kind == "FOOTER":
                shown["footer"] = str(definition.get("text", ""))
            elif kind == "LIMITED_TIME_OFFER":
                shown["limited_time_offer"] = _limited_time_offer(definition, component)
            elif kind == "CAROUSEL":
                shown["cards"] = self._cards(definition, component)
        code = self._code(sent.get("body", {}))
        shown["buttons"] = render_buttons(defined.get("BUTTONS", {}).get("buttons", []), buttons, code)
        return shown

    def _header(self, definition: dict[str, Any], sent: dict[str, Any], prefix: str) -> dict[str, Any]:
        kind = str(definition.get("format", "TEXT")).upper()
        parameters = objects(sent, "parameters")
        if kind == "TEXT":
            text = self._text(definition, parameters, f"{prefix}header", 60)
            return {"format": "TEXT", "text": text}
        value = single(parameters, kind.lower(), f"{prefix}header").get(kind.lower())
        if kind in _HEADER_MEDIA:
            check_media(self._call, _HEADER_MEDIA[kind], value, f"{prefix}header {kind.lower()}")
        elif kind == "LOCATION":
            check_location(value)
        else:
            _check_product(value, f"{prefix}header")
        return {"format": kind, kind.lower(): value}

    def _body(self, definition: dict[str, Any], sent: dict[str, Any], prefix: str) -> str:
        if self._template.category == "AUTHENTICATION" and "text" not in definition:
            text = "{{1}} is your verification code."
            if definition.get("add_security_recommendation"):
                text += " For your security, do not share this code."
            definition = {"text": text}
        return self._text(definition, objects(sent, "parameters"), f"{prefix}body", 1024)

    def _code(self, body: dict[str, Any]) -> str:
        """Return the one-time code of the body; "" for a template of another category."""
        parameters = objects(body, "parameters")
        if self._template.category != "AUTHENTICATION" or not parameters:
            return ""
        code = text_value(parameters[0], "body")
        if len(code) > CODE_LENGTH:
            raise invalid(f"body: the code is longer than {CODE_LENGTH} characters.")
        return code

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
            return {name: text_value(by_name[name], where) for name in names}
        if any("parameter_name" in item for item in parameters):
            raise GraphError(132012, f"{where}: named parameters for a positional template.")
        ordered = sorted(names, key=lambda name: int(name) if name.isdigit() else 0)
        return {name: text_value(item, where) for name, item in zip(ordered, parameters, strict=True)}

    def _cards(self, definition: dict[str, Any], sent: dict[str, Any]) -> list[dict[str, Any]]:
        """Return the cards in the order of the definition, which ``card_index`` refers to."""
        defined, cards = definition.get("cards", []), objects(sent, "cards")
        if len(cards) != len(defined):
            raise GraphError(132000, f"carousel: {len(cards)} cards, expected {len(defined)}")
        by_index = {str(card.get("card_index")): card for card in cards}
        shown = []
        for position, card in enumerate(defined):
            given = by_index.get(str(position))
            if given is None:
                raise missing(f"carousel: there is no card with card_index {position}.")
            components = objects(given, "components")
            shown.append(self.render(card.get("components", []), components, prefix=f"card {position}: "))
        return shown


def _by_type(given: list[dict[str, Any]], prefix: str) -> tuple[dict[str, dict[str, Any]], list[dict[str, Any]]]:
    """Return the sent components by type, and the buttons; raise error 100 for an unknown or a repeated type."""
    found: dict[str, dict[str, Any]] = {}
    buttons = []
    for item in given:
        name = str(item.get("type", "")).lower()
        if name not in _SENDABLE:
            kinds = ", ".join(_SENDABLE).upper()
            raise parameter(f"Param template['components'][...]['type'] must be one of {{{kinds}}}.")
        if name == "button":
            buttons.append(item)
        elif name in found:
            raise parameter(f"Param template['components'] has more than one {prefix}{name}.")
        else:
            found[name] = item
    return found, buttons


def _limited_time_offer(definition: dict[str, Any], sent: dict[str, Any]) -> dict[str, Any]:
    """Return the offer with the time of its end, which an offer with ``has_expiration`` needs."""
    defined = definition.get("limited_time_offer")
    offer = defined if isinstance(defined, dict) else {}
    parameters = objects(sent, "parameters")
    if not parameters and not offer.get("has_expiration"):
        return offer
    value = single(parameters, "limited_time_offer", "limited_time_offer").get("limited_time_offer")
    ends = value.get("expiration_time_ms") if isinstance(value, dict) else None
    if not isinstance(ends, int) or isinstance(ends, bool) or ends <= 0:
        raise missing("limited_time_offer: expiration_time_ms is required.")
    return {**offer, "expiration_time_ms": ends}


def _check_product(value: Any, where: str) -> None:
    for name in ("product_retailer_id", "catalog_id"):
        if not isinstance(value, dict) or not value.get(name):
            raise missing(f"{where}: product.{name} is required.")
