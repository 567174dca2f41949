"""OpenAPI description of the control API, made from its routes and their docstrings."""

from __future__ import annotations

import inspect
import re
from collections.abc import Iterable
from typing import Any

from flask import Response

from meta_emulator.control.http import json_response
from meta_emulator.control.property_types import NAMED, WHOLE, type_of
from meta_emulator.control.routes import Controls, Route, route

_PARAMETER = re.compile(r"<(?:(int):)?(\w+)>")
# A docstring begins "Do this: ``{"name", "other"?}`` → …"; the braces before the arrow are the request body.
_BODY = re.compile(r"^[^→]*?``(\{.*?\})``", re.DOTALL)
_BRACES = re.compile(r"``(\{.*?\})``", re.DOTALL)
# What stands in an object inside the answer, such as the properties of its items.
_NESTED = re.compile(r"(?<=.)\{[^{}]*\}", re.DOTALL)
_PROPERTY = re.compile(r'"(\w+)"(\??)(?=[,:}\s])')
_SUMMARY_END = re.compile(r":|\.(?=\s|$)|→| ``\{|\(\``\{|, at most")
_VALUES = re.compile(r'\[[^\]]*\]|:\s*\{[^}]*\}|:\s*"[^"]*"(?:\s*\|\s*"[^"]*")*')
_MULTIPART = re.compile(r"\(multipart(.*?)\)", re.DOTALL)
_QUERY = re.compile(r"``[?&](\w+)=")

_ERROR = {
    "description": "A sentence that says what is wrong.",
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
    for each in routes:
        path = "/_emulator" + _PARAMETER.sub(r"{\2}", each.path)
        paths.setdefault(path, {})[each.method.lower()] = _operation(each)
    return {
        "openapi": "3.1.0",
        "info": {
            "title": "Control API of the emulated Meta",
            "version": "1",
            "description": "What tests and the phone page do to the emulated world. It has no login.",
        },
        "paths": dict(sorted(paths.items())),
    }


def _operation(found: Route) -> dict[str, Any]:
    text = inspect.cleandoc(found.view.__doc__ or "")
    summary = _SUMMARY_END.split(text, maxsplit=1)[0].replace("``", "`").strip()
    if summary in ("", "Return"):
        summary = f"Return {found.name}"
    operation: dict[str, Any] = {
        "operationId": re.sub(r"\W+", "_", f"{found.method.lower()}{found.path}").strip("_"),
        "tags": [found.group],
        "summary": summary.split("\n")[0],
        "description": text,
        "parameters": [*_path_parameters(found.path), *_query_parameters(text)],
        "responses": {
            "200": {
                "description": "Done.",
                "content": {"application/json": {"schema": _answer(found, text)}},
            },
            "default": _ERROR,
        },
    }
    if found.method in ("POST", "PATCH"):
        operation["requestBody"] = _request_body(found, text)
    return operation


def _path_parameters(path: str) -> list[dict[str, Any]]:
    return [
        {"name": name, "in": "path", "required": True, "schema": {"type": "integer" if kind else "string"}}
        for kind, name in _PARAMETER.findall(path)
    ]


def _query_parameters(text: str) -> list[dict[str, Any]]:
    return [{"name": name, "in": "query", "schema": {"type": "string"}} for name in dict.fromkeys(_QUERY.findall(text))]


def _answer(found: Route, text: str) -> dict[str, Any]:
    """Return the schema of an answer: what stands behind the arrow, or first where there is none."""
    operation = f"{found.method} {found.path}"
    _, arrow, rest = text.partition("→")
    known = WHOLE.get(operation) or next((NAMED[name] for name in NAMED if rest.strip().startswith(name)), None)
    if known is not None:
        return {"type": "object", "properties": known}
    if not arrow and found.method == "GET":
        rest = text
    braces = _BRACES.search(rest)
    return _object(operation, _NESTED.sub("", braces[1]) if braces else "")


def _object(operation: str, braces: str) -> dict[str, Any]:
    names = dict.fromkeys(name for name, _ in _PROPERTY.findall(_VALUES.sub("", braces)))
    properties = {name: type_of(operation, name) for name in names}
    return {"type": "object", "properties": properties, "additionalProperties": True}


def _request_body(found: Route, text: str) -> dict[str, Any]:
    if "multipart" in text:
        properties: dict[str, Any] = {"file": {"type": "string", "format": "binary"}}
        for name in re.findall(r"``(\w+)``", _MULTIPART.findall(text)[0]):
            properties.setdefault(name, {"type": "string"})
        form = {"type": "object", "properties": properties, "required": ["file"]}
        return {"content": {"multipart/form-data": {"schema": form}}}
    operation = f"{found.method} {found.path}"
    body = _BODY.match(text)
    schema = _object(operation, body[1] if body else "")
    schema["properties"] = WHOLE.get(operation, {}) | schema["properties"]
    return {"content": {"application/json": {"schema": schema}}}
