"""OpenAPI description of the control API, generated from its routes and their docstrings."""

from __future__ import annotations

import inspect
import re
from collections.abc import Iterable
from typing import Any

from flask import Response
from pydantic import TypeAdapter

from meta_emulator.control.http import json_response
from meta_emulator.control.property_types import NAMED, WHOLE, path_type, type_of
from meta_emulator.control.routes import Controls, Route, route

_PARAMETER = re.compile(r"<(?:(int):)?(\w+)>")
_BRACES = re.compile(r"``(\{.*?\})``", re.DOTALL)
# An object inside the answer, such as the properties of its items.
_NESTED = re.compile(r"(?<=.)\{[^{}]*\}", re.DOTALL)
_PROPERTY = re.compile(r'"(\w+)"(\??)(?=[,:}\s])')
_SUMMARY_END = re.compile(r":|\.(?=\s|$)|→| ``\{|\(\``\{|, at most")
_VALUES = re.compile(r'\[[^\]]*\]|:\s*\{[^}]*\}|:\s*"[^"]*"(?:\s*\|\s*"[^"]*")*')

_FILE = {"type": "string", "format": "binary", "minLength": 1}
_ERROR = {
    "description": "A sentence that describes the error.",
    "content": {
        "application/json": {
            "schema": {"type": "object", "properties": {"error": {"type": "string"}}, "required": ["error"]}
        }
    },
}


class DescriptionControls(Controls):
    """``/_emulator/openapi.json``."""

    @route("GET", "/openapi.json")
    def openapi(self) -> Response:
        """Return this description."""
        return json_response(describe(self.routes))


def describe(routes: Iterable[Route]) -> dict[str, Any]:
    """Return the OpenAPI 3.1 document of these routes."""
    paths: dict[str, dict[str, Any]] = {}
    schemas: dict[str, Any] = {}
    for each in routes:
        path = "/_emulator" + _PARAMETER.sub(r"{\2}", each.path)
        paths.setdefault(path, {})[each.method.lower()] = _operation(each, schemas)
    return {
        "openapi": "3.1.0",
        "info": {
            "title": "Control API of the emulated Meta",
            "version": "1",
            "description": "Controls of the emulated world for tests and the phone page. It has no login.",
        },
        "paths": dict(sorted(paths.items())),
        "components": {"schemas": dict(sorted(schemas.items()))},
    }


def _operation(found: Route, schemas: dict[str, Any]) -> dict[str, Any]:
    text = inspect.cleandoc(found.view.__doc__ or "")
    summary = _SUMMARY_END.split(text, maxsplit=1)[0].replace("``", "`").strip()
    if summary in ("", "Return"):
        summary = f"Return {found.name}"
    operation: dict[str, Any] = {
        "operationId": re.sub(r"\W+", "_", f"{found.method.lower()}{found.path}").strip("_"),
        "tags": [found.group],
        "summary": summary.split("\n")[0],
        "description": text,
        "parameters": [*_path_parameters(found.path), *_query_parameters(found, schemas)],
        "responses": {"200": {"description": "Done.", "content": _answer(found, text)}, "default": _ERROR},
    }
    if found.form is not None:
        schema = _schema(found.form, schemas, inline=True)
        properties = {"file": _FILE} | {name: _without_null(each) for name, each in schema["properties"].items()}
        form = {"type": "object", "properties": properties, "required": ["file"]}
        operation["requestBody"] = {"required": True, "content": {"multipart/form-data": {"schema": form}}}
    elif found.body is not None and found.method != "GET":
        schema = _schema(found.body, schemas)
        content = {"application/json": {"schema": schema}}
        operation["requestBody"] = {"required": _needs_body(schema, schemas), "content": content}
    return operation


def _path_parameters(path: str) -> list[dict[str, Any]]:
    return [
        {"name": name, "in": "path", "required": True, "schema": path_type(kind, name)}
        for kind, name in _PARAMETER.findall(path)
    ]


def _query_parameters(found: Route, schemas: dict[str, Any]) -> list[dict[str, Any]]:
    if found.query is None:
        return []
    properties = _schema(found.query, schemas, inline=True)["properties"]
    return [{"name": name, "in": "query", "schema": _without_null(schema)} for name, schema in properties.items()]


def _without_null(schema: dict[str, Any]) -> dict[str, Any]:
    """Return the schema of an optional parameter without null."""
    return next((each for each in schema.get("anyOf", ()) if each != {"type": "null"}), schema)


def _schema(kind: TypeAdapter[Any], schemas: dict[str, Any], *, inline: bool = False) -> dict[str, Any]:
    """Return the schema of a type; add referenced ones, and itself unless ``inline``, to ``schemas``."""
    schema = kind.json_schema(ref_template="#/components/schemas/{model}")
    schemas.update(schema.pop("$defs", {}))
    if inline or "title" not in schema:
        return schema
    schemas[schema["title"]] = schema
    return {"$ref": f"#/components/schemas/{schema['title']}"}


def _needs_body(schema: dict[str, Any], schemas: dict[str, Any]) -> bool:
    referred = schemas[schema["$ref"].rpartition("/")[2]] if "$ref" in schema else schema
    return bool(referred.get("required") or referred.get("anyOf"))


def _answer(found: Route, text: str) -> dict[str, Any]:
    """Return the content of an answer: the shape after the arrow, or the first one without an arrow."""
    if text.startswith("Return the bytes"):
        return {"*/*": {"schema": {"type": "string", "format": "binary"}}}
    operation = f"{found.method} {found.path}"
    _, arrow, rest = text.partition("→")
    known = WHOLE.get(operation) or next((NAMED[name] for name in NAMED if rest.strip().startswith(name)), None)
    if known is not None:
        return {"application/json": {"schema": {"type": "object", "properties": known}}}
    if not arrow and found.method == "GET":
        rest = text
    braces = _BRACES.search(rest)
    return {"application/json": {"schema": _object(operation, _NESTED.sub("", braces[1]) if braces else "")}}


def _object(operation: str, braces: str) -> dict[str, Any]:
    names = dict.fromkeys(name for name, _ in _PROPERTY.findall(_VALUES.sub("", braces)))
    properties = {name: type_of(operation, name) for name in names}
    return {"type": "object", "properties": properties, "additionalProperties": True}
