"""Forms for templates: the values that a template takes, a preview with them, and the message to send."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Final

_PLACE: Final = re.compile(r"\{\{\s*([A-Za-z0-9_]+)\s*\}\}")
_MEDIA: Final = frozenset({"image", "video", "document"})


@dataclass(frozen=True, slots=True)
class TemplateField:
    """One value of a template. `part`: header, body or button; `index`: of the button; `media`: of a file's link."""

    part: str
    name: str
    index: int = 0
    media: str = ""

    @property
    def key(self) -> str:
        """The field's name in a form."""
        return f"{self.part}-{self.index}-{self.name}"

    @property
    def label(self) -> str:
        """The field's label."""
        what = f"link of the {self.media}" if self.media else self.name
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
                text = f"{button.get('text', '')} {_filled(str(button.get('url') or ''), 'button', index, values)}"
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
    components += [
        {
            "type": "button",
            "sub_type": "url",
            "index": str(field.index),
            "parameters": [{"type": "text", "text": values.get(field.key, "")}],
        }
        for field in fields
        if field.part == "button"
    ]
    template = {"name": definition.get("name"), "language": {"code": definition.get("language")}}
    return template | ({"components": components} if components else {})


def _parameter(field: TemplateField, values: Mapping[str, str], named: bool) -> dict[str, Any]:
    value = values.get(field.key, "")
    if field.media:
        return {"type": field.media, field.media: {"link": value}}
    return {"type": "text", "text": value} | ({"parameter_name": field.name} if named else {})


def _fields(definition: Mapping[str, Any]) -> Iterator[TemplateField]:
    for component in _components(definition):
        part = _part(component)
        if part == "buttons":
            for index, button in enumerate(_objects(component.get("buttons"))):
                for name in _PLACE.findall(str(button.get("url") or "")):
                    yield TemplateField("button", name, index)
        elif part == "header" and (media := _media(component)):
            yield TemplateField(part, "link", media=media)
        elif part in {"header", "body"}:
            for name in dict.fromkeys(_PLACE.findall(str(component.get("text") or ""))):
                yield TemplateField(part, name)


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
