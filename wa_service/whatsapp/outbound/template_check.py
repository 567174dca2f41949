"""Check a template message against its template's definition; Meta answers a mismatch 132000, 132001 or 132012."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Final, TypeAlias

_Json: TypeAlias = Mapping[str, Any]

_VARIABLE: Final = re.compile(r"\{\{\s*([A-Za-z0-9_]+)\s*\}\}")
_MEDIA: Final = frozenset({"image", "video", "document", "gif", "location", "product"})
_LONGEST_CODE: Final = 15
_SENDABLE: Final = frozenset({"APPROVED", "REINSTATED", "PAUSED", ""})
"""Sends of a paused template wait until it may be sent again; "": unknown."""

_SUB_TYPES: Final[Mapping[str, str]] = {
    "quick_reply": "quick_reply",
    "url": "url",
    "copy_code": "copy_code",
    "otp": "url",
    "flow": "flow",
    "catalog": "catalog",
    "mpm": "mpm",
    "voice_call": "voice_call",
    "order_details": "order_details",
}
"""A button's type in a definition → its `sub_type` when sending (3.1, 3.3)."""


def check_components(template: _Json, definition: _Json) -> list[str]:
    """Return a sentence for each mismatch between `template` (as sent) and `definition` (as listed)."""
    return [
        *_identity(template, definition),
        *_contents(_list(template.get("components")), _list(definition.get("components")), definition, ""),
    ]


def _identity(template: _Json, definition: _Json) -> Iterator[str]:
    if template.get("name") != definition.get("name"):
        yield "The name is not that of the definition."
    language = template.get("language")
    code = language.get("code") if isinstance(language, Mapping) else language
    expected = definition.get("language")
    if str(code).replace("-", "_") != str(expected).replace("-", "_"):
        yield f"The template exists in the language {expected}, not in {code}."
    status = str(definition.get("status") or "").upper()
    if status not in _SENDABLE:
        yield f"The template's status is {status}: Meta sends only approved ones."


def _contents(given: Sequence[_Json], defined: Sequence[_Json], definition: _Json, where: str) -> Iterator[str]:
    named = str(definition.get("parameter_format") or "").upper() == "NAMED"
    by_type = {str(component.get("type")).lower(): component for component in defined}
    sent = {str(component.get("type")).lower(): component for component in given}
    yield from _header(_parameters(sent.get("header")), by_type.get("header"), named, where)
    body = by_type.get("body") or {}
    is_one_time_code = _is_one_time_code(definition, body)
    names = ["1"] if is_one_time_code else _variables(body.get("text"))
    yield from _texts(_parameters(sent.get("body")), names, named, f"{where}body")
    if is_one_time_code:
        yield from _one_time_codes(given, where)
    buttons = by_type.get("buttons")
    yield from _buttons(given, _list(buttons.get("buttons")) if buttons else [], where)
    for special in ("limited_time_offer", "carousel"):
        if special in sent and special not in by_type:
            yield f"The template has no {special}."
    if _expires(by_type.get("limited_time_offer")) and "limited_time_offer" not in sent:
        yield "The limited_time_offer needs its expiration_time_ms."
    if "carousel" in by_type:
        yield from _carousel(sent.get("carousel"), by_type["carousel"], definition)


def _is_one_time_code(definition: _Json, body: _Json) -> bool:
    """Whether the body's one variable is a code; Meta writes its text, which a template list may leave out (3.3)."""
    is_authentication = str(definition.get("category") or "").upper() == "AUTHENTICATION"
    return is_authentication or body.get("add_security_recommendation") is not None


def _one_time_codes(given: Sequence[_Json], where: str) -> Iterator[str]:
    """Check the length of an authentication template's code, in each component (3.1)."""
    texts = [str(parameter.get("text", "")) for component in given for parameter in _parameters(component)]
    if any(len(text) > _LONGEST_CODE for text in texts):
        yield f"{where}body: a one-time code has at most {_LONGEST_CODE} characters."


def _header(parameters: Sequence[_Json], defined: _Json | None, named: bool, where: str) -> Iterator[str]:
    if defined is None:
        if parameters:
            yield f"{where}header: the template has none."
        return
    format_ = str(defined.get("format") or "TEXT").lower()
    if format_ not in _MEDIA:
        yield from _texts(parameters, _variables(defined.get("text")), named, f"{where}header")
        return
    if len(parameters) != 1:
        yield f"{where}header: needs exactly one parameter, of type {format_}."
    elif parameters[0].get("type") != format_:
        yield f"{where}header: needs a parameter of type {format_}, not {parameters[0].get('type')}."


def _texts(parameters: Sequence[_Json], names: Sequence[str], named: bool, where: str) -> Iterator[str]:
    if len(parameters) != len(names):
        yield f"{where}: has {len(names)} variable(s), but {len(parameters)} parameter(s) were given."
    wrong = {str(parameter.get("type")) for parameter in parameters} & _MEDIA
    if wrong:
        yield f"{where}: takes texts, not {', '.join(sorted(wrong))}."
    given = {str(parameter["parameter_name"]) for parameter in parameters if parameter.get("parameter_name")}
    if not named and given:
        yield f"{where}: the template's variables are positional, so parameter_name may not be given."
    if named:
        missing = [name for name in names if name not in given]
        unknown = sorted(given - set(names))
        if missing:
            yield f"{where}: no parameter is named {', '.join(missing)}."
        if unknown:
            yield f"{where}: the template has no variable named {', '.join(unknown)}."


def _buttons(given: Sequence[_Json], defined: Sequence[_Json], where: str) -> Iterator[str]:
    needing = {place for place, button in enumerate(defined) if _needs_parameter(button)}
    for component in given:
        if str(component.get("type")).lower() != "button":
            continue
        place = _place(component.get("index"))
        if place is None or place >= len(defined):
            yield f"{where}button {component.get('index')}: the template has {len(defined)}, counted from 0."
            continue
        needing.discard(place)
        button = defined[place]
        kind = str(button.get("type")).lower()
        sub_type = component.get("sub_type")
        if str(sub_type).lower() != _SUB_TYPES.get(kind, kind):
            yield f"{where}button {place}: is of type {kind} in the template, not {sub_type}."
        elif kind == "url" and not _needs_parameter(button) and _parameters(component):
            yield f"{where}button {place}: its URL is fixed and takes no parameter."
    for place in sorted(needing):
        kind = str(defined[place].get("type")).lower()
        yield f"{where}button {place}: of type {kind} needs a parameter."


def _needs_parameter(button: _Json) -> bool:
    kind = str(button.get("type")).lower()
    if kind == "url":
        return bool(_variables(button.get("url")))
    return kind in ("copy_code", "otp", "mpm", "order_details")


def _carousel(given: _Json | None, defined: _Json, definition: _Json) -> Iterator[str]:
    cards, expected = _list((given or {}).get("cards")), _list(defined.get("cards"))
    if len(cards) != len(expected):
        yield f"carousel: has {len(expected)} card(s), but {len(cards)} were given."
        return
    for place, (card, shape) in enumerate(zip(_by_index(cards), expected, strict=True)):
        components, shapes = _list(card.get("components")), _list(shape.get("components"))
        yield from _contents(components, shapes, definition, f"card {place} ")


def _by_index(cards: Sequence[_Json]) -> Sequence[_Json]:
    """Return the cards in the order of the definition, to which `card_index` refers; as given if it is incomplete."""
    by_index = {_place(card.get("card_index")): card for card in cards}
    places = range(len(cards))
    return [by_index[place] for place in places] if by_index.keys() == set(places) else cards


def _variables(text: object) -> list[str]:
    return list(dict.fromkeys(_VARIABLE.findall(text))) if isinstance(text, str) else []


def _parameters(component: _Json | None) -> list[_Json]:
    return _list((component or {}).get("parameters"))


def _list(value: object) -> list[_Json]:
    return [item for item in value if isinstance(item, Mapping)] if isinstance(value, list | tuple) else []


def _place(index: object) -> int | None:
    return int(index) if isinstance(index, int | str) and str(index).isdecimal() else None


def _expires(component: _Json | None) -> bool:
    offer = (component or {}).get("limited_time_offer")
    return isinstance(offer, Mapping) and offer.get("has_expiration") is True
