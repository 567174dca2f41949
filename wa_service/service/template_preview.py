"""Forms for templates: the values that a template takes, a preview with them, and the message to send."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Final

from wa_service.whatsapp.outbound.template_check import check_components

_PLACE: Final = re.compile(r"\{\{\s*([A-Za-z0-9_]+)\s*\}\}")
_MEDIA: Final = frozenset({"image", "video", "document"})


@dataclass(frozen=True, slots=True)
class TemplateField:
    """One value of a template. `part`: header, body or button; `index`: of the button; `media`: of a file's link.

    `code`: what it is if it is a code, `copy_code` or `one_time_code`.
    """

    part: str
    name: str
    index: int = 0
    media: str = ""
    code: str = ""

    @property
    def key(self) -> str:
        """The field's name in a form."""
        return f"{self.part}-{self.index}-{self.name}"

    @property
    def label(self) -> str:
        """The field's label."""
        if self.code == "one_time_code":
            return "one-time code"
        what = f"link of the {self.media}" if self.media else "code to copy" if self.code else self.name
        return f"{self.part} {self.index + 1}: {what}" if self.part == "button" else f"{self.part}: {what}"


def template_fields(definition: Mapping[str, Any]) -> list[TemplateField]:
    """Return the values that a template takes, in order."""
    return list(_fields(definition))


def preview(definition: Mapping[str, Any], values: Mapping[str, str]) -> list[tuple[str, str]]:
    """Return the text that the customer would see: (part, text); placeholders without a value stay."""
    shown = []
    for component in _components(definition):
        part = _part(component)
        if part == "buttons":
            for index, button in enumerate(_objects(component.get("buttons"))):
                code = values.get(_code_to_copy(index).key, "") if _is(button, "copy_code") else ""
                text = (
                    f"{button.get('text', '')} {_filled(str(button.get('url') or ''), 'button', index, values)}{code}"
                )
                shown.append(("button", text.strip()))
        elif component.get("text"):
            shown.append((part, _filled(str(component["text"]), part, 0, values)))
        elif (media := _media(component)) and part == "header":
            shown.append((part, values.get(TemplateField(part, "link", media=media).key) or f"[{media}]"))
    return shown


def template_message(definition: Mapping[str, Any], values: Mapping[str, str]) -> dict[str, Any]:
    """Return Meta's template object with these values."""
    components: list[dict[str, Any]] = []
    named = definition.get("parameter_format") == "NAMED"
    fields = template_fields(definition)
    for part in ("header", "body"):
        parameters = [_parameter(field, values, named) for field in fields if field.part == part]
        components += [{"type": part, "parameters": parameters}] if parameters else []
    components += [_button(field, values) for field in fields if field.part == "button"]
    codes = [field for field in fields if field.code == "one_time_code"]
    components += [
        {
            "type": "button",
            "sub_type": "url",
            "index": str(index),
            "parameters": [_parameter(field, values, named=False)],
        }
        for field in codes
        for index, button in enumerate(_buttons(definition))
        if _is(button, "otp")
    ]
    template = {"name": definition.get("name"), "language": {"code": definition.get("language")}}
    return template | ({"components": components} if components else {})


def not_filled_in(definition: Mapping[str, Any]) -> list[str]:
    """Return a sentence for each value that the template needs and `template_fields` has no field for."""
    values = {field.key: "0" for field in _fields(definition)}
    return check_components(template_message(definition, values), definition)


def _button(field: TemplateField, values: Mapping[str, str]) -> dict[str, Any]:
    value = values.get(field.key, "")
    parameter = {"type": "coupon_code", "coupon_code": value} if field.code else {"type": "text", "text": value}
    sub_type = field.code or "url"
    return {"type": "button", "sub_type": sub_type, "index": str(field.index), "parameters": [parameter]}


def _parameter(field: TemplateField, values: Mapping[str, str], named: bool) -> dict[str, Any]:
    value = values.get(field.key, "")
    if field.media:
        return {"type": field.media, field.media: {"link": value}}
    return {"type": "text", "text": value} | ({"parameter_name": field.name} if named else {})


def _fields(definition: Mapping[str, Any]) -> Iterator[TemplateField]:
    if any(_is(button, "otp") for button in _buttons(definition)):
        # Meta writes the text; the one value fills it and the button.
        yield TemplateField("body", "1", code="one_time_code")
        return
    for component in _components(definition):
        part = _part(component)
        if part == "buttons":
            for index, button in enumerate(_objects(component.get("buttons"))):
                if _is(button, "copy_code"):
                    yield _code_to_copy(index)
                for name in _PLACE.findall(str(button.get("url") or "")):
                    yield TemplateField("button", name, index)
        elif part == "header" and (media := _media(component)):
            yield TemplateField(part, "link", media=media)
        elif part in {"header", "body"}:
            for name in dict.fromkeys(_PLACE.findall(str(component.get("text") or ""))):
                yield TemplateField(part, name)


def _code_to_copy(index: int) -> TemplateField:
    return TemplateField("button", "code", index, code="copy_code")


def _is(button: Mapping[str, Any], type_: str) -> bool:
    return str(button.get("type") or "").lower() == type_


def _buttons(definition: Mapping[str, Any]) -> list[Mapping[str, Any]]:
    return [
        button
        for component in _components(definition)
        if _part(component) == "buttons"
        for button in _objects(component.get("buttons"))
    ]


def _filled(text: str, part: str, index: int, values: Mapping[str, str]) -> str:
    return _PLACE.sub(lambda found: values.get(TemplateField(part, found[1], index).key) or found[0], text)


def _components(definition: Mapping[str, Any]) -> list[Mapping[str, Any]]:
    return _objects(definition.get("components"))


def _objects(value: Any) -> list[Mapping[str, Any]]:
    return [each for each in value if isinstance(each, Mapping)] if isinstance(value, list) else []


def _part(component: Mapping[str, Any]) -> str:
    return str(component.get("type") or "").lower()


def _media(component: Mapping[str, Any]) -> str:
    form = str(component.get("format") or "").lower()
    return form if form in _MEDIA else ""
