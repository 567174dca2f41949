"""The API's description, OpenAPI 3.1: flask-openapi3 generates routes and responses, this adds what they share."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from copy import deepcopy
from functools import cache
from typing import Any, Final, Literal, cast

from flask import Blueprint, current_app, request
from flask_openapi3.openapi import OpenAPI
from pydantic import BaseModel

from wa_service.web import problems
from wa_service.web.auth import caller_of
from wa_service.web.event_schema import event_schemas
from wa_service.web.message_schema import REF, message_schemas
from wa_service.web.models import ProblemBody
from wa_service.whatsapp.media.download import MEDIA_TYPES

DESCRIPTION: Final = (
    "Send WhatsApp messages and read what customers wrote. Calls carry `Authorization: Bearer <key>`. Errors are "
    "`application/problem+json` (RFC 9457); [their types](/docs/problems)."
)
_RATE_HEADERS: Final = {
    "RateLimit-Limit": "Calls that this key may make in a window.",
    "RateLimit-Remaining": "Calls that are left in this window.",
    "RateLimit-Reset": "Seconds until the window ends.",
}
_JSON: Final = "application/json"
_SENDABLE: Final = sorted(name for name, media in MEDIA_TYPES.items() if media.sendable)
_BODIES: Final[dict[str, dict[str, Any]]] = {
    "SendMessage": {
        _JSON: {"schema": {"anyOf": [{"$ref": REF.format(model=name)} for name in ("SendMessage", "ReadMarkOfMeta")]}}
    },
    "UploadForm": {
        "multipart/form-data": {
            "schema": {
                "type": "object",
                "properties": {
                    "file": {"type": "string", "format": "binary", "minLength": 1},
                    "type": {
                        "type": "string",
                        "description": "Its MIME type, if neither its bytes nor the file's part tell it.",
                    },
                },
                "required": ["file"],
            },
            "encoding": {"file": {"contentType": ", ".join(_SENDABLE)}},
        }
    },
}
_KEY_HEADER: Final = {
    "name": "Idempotency-Key",
    "in": "header",
    "required": False,
    "schema": {"type": "string", "pattern": "^[!-~]{1,255}$"},
}
_SEND_HEADERS: Final[Mapping[str, list[dict[str, Any]]]] = {
    "message": [
        _KEY_HEADER
        | {"description": "A retry with the same key sends nothing and returns the first request's message."},
        {
            "name": "Prefer",
            "in": "header",
            "required": False,
            "schema": {"type": "string"},
            "description": "`respond-async`: answer 202 at once, send with the lowest priority.",
        },
    ],
    "batch": [_KEY_HEADER | {"description": "A retry with the same key continues, or returns the first batch."}],
}


def operation(
    status: int,
    model: type[BaseModel] | None,
    *,
    also_200: type[BaseModel] | None = None,
    also_202: type[BaseModel] | None = None,
    body: str | type[BaseModel] | None = None,
    sends: Literal["message", "batch"] | None = None,
) -> dict[str, Any]:
    """Return a route's responses and body for flask-openapi3's decorators.

    Args:
        status: of success.
        model: the body of success; None: a file, or nothing.
        also_200: another possible body of success.
        also_202: the body of a 202, in addition to `model`.
        body: a name of `_BODIES`, or a model; a model without required fields may be left out.
        sends: what it sends, whose headers it takes.
    """
    success: Any = model
    if model is None:
        success = {"description": "The file." if status == 200 else "Done."}
        if status == 200:
            success["content"] = {"*/*": {"schema": {"type": "string", "format": "binary"}}}
    responses: dict[int, Any] = {status: success}
    if also_200 is not None and model is not None:
        responses[status] = _either("Done.", model, also_200)
    if also_202 is not None and model is not None:
        responses[202] = _either("It is queued.", model, also_202)
    more: dict[str, Any] = {}
    if isinstance(body, str):
        more["requestBody"] = {"required": True, "content": _BODIES[body]}
    elif body is not None:
        schema = body.model_json_schema(by_alias=True, ref_template=REF)
        required = any(field.is_required() for field in body.model_fields.values())
        more["requestBody"] = {"required": required, "content": {_JSON: {"schema": schema}}}
    if sends:
        more["parameters"] = _SEND_HEADERS[sends]
    return {"responses": responses, "openapi_extensions": more}


def _either(description: str, model: type[BaseModel], other: type[BaseModel]) -> dict[str, Any]:
    schemas = [{"$ref": REF.format(model=model.__name__)}, other.model_json_schema(ref_template=REF)]
    return {"description": description, "content": {_JSON: {"schema": {"anyOf": schemas}}}}


def refuse_unknown_parameters(api: Blueprint) -> None:
    """Refuse query parameters that a route does not describe: a misspelt filter would be ignored."""

    @cache
    def described() -> dict[str, set[str]]:
        paths = cast(OpenAPI, current_app).api_doc["paths"]
        operations = [operation for path in paths.values() for operation in path.values()]
        return {
            operation["operationId"]: {
                each["name"] for each in operation.get("parameters", ()) if each["in"] == "query"
            }
            for operation in operations
        }

    def refuse() -> None:
        if not request.args:
            return
        known = described().get(str(request.endpoint).rpartition(".")[2], set())
        unknown = [name for name in request.args if name not in known]
        if unknown:
            fields = [(name[:64], "This parameter is unknown.") for name in unknown[:20]]
            raise problems.ProblemError(problems.INVALID, "The query is not valid.", fields=fields)

    api.before_request(refuse)


def build(app: OpenAPI, numbers: Sequence[str], longest_ttl: int) -> dict[str, Any]:
    """Return the whole document; `numbers` are the phone number ids to name, `longest_ttl` in seconds."""
    document: dict[str, Any] = deepcopy(app.api_doc)
    components = document["components"]
    schemas: dict[str, Any] = components["schemas"]
    schemas.pop("ValidationErrorModel", None)
    schemas |= message_schemas(numbers, longest_ttl)
    schemas |= event_schemas()
    schemas["Problem"] = ProblemBody.model_json_schema(ref_template=REF)
    for schema in list(schemas.values()):
        schemas |= schema.pop("$defs", {})
    components["securitySchemes"] = {"key": {"type": "http", "scheme": "bearer"}}
    components["headers"] = {
        name: {"description": text, "schema": {"type": "integer", "minimum": 0}} for name, text in _RATE_HEADERS.items()
    }
    for path, operations in document["paths"].items():
        for operation in operations.values():
            _complete(operation, app.view_functions[f"v1.{operation['operationId']}"], path.split("/")[2])
            if numbers:
                _name_numbers(operation, numbers)
    _drop_null_defaults(document)
    document["x-problems"] = [
        {"name": kind.name, "status": kind.status, "title": kind.title, "retryable": kind.retryable}
        for kind in problems.all_kinds()
    ]
    return document


def _drop_null_defaults(part: Any) -> None:
    """Remove `default: null`, which says nothing: generators of clients take a field with a default as always there."""
    if isinstance(part, list):
        for each in part:
            _drop_null_defaults(each)
    if isinstance(part, dict):
        if part.get("default", ...) is None:
            del part["default"]
        for each in part.values():
            _drop_null_defaults(each)


def _name_numbers(operation: dict[str, Any], numbers: Sequence[str]) -> None:
    """List our numbers wherever `from` takes one; a `from` with a pattern is a day."""
    for parameter in operation.get("parameters", ()):
        if parameter["name"] == "from" and "pattern" not in parameter["schema"]:
            parameter["schema"] = {"type": "string", "enum": list(numbers)}
    body = operation.get("requestBody", {}).get("content", {}).get(_JSON, {})
    if "from" in body.get("schema", {}).get("properties", {}):
        body["schema"]["properties"]["from"]["anyOf"][0] = {"enum": list(numbers)}


def _complete(operation: dict[str, Any], view: Callable[..., object], tag: str) -> None:
    """Add what every operation has: its resource as tag, its key, the role it requires, and its errors."""
    role = caller_of(view)
    operation["security"] = [{"key": []}]
    operation["x-role"] = role
    text = operation.get("description", "").replace("<br/>", "\n")
    operation["description"] = f"{text}\n\nNeeds a key with the role `{role}`.".strip()
    operation["tags"] = [tag]
    rates = {name: {"$ref": f"#/components/headers/{name}"} for name in _RATE_HEADERS}
    for response in operation["responses"].values():
        response["headers"] = rates | response.get("headers", {})
    problem = {problems.MIME: {"schema": {"$ref": REF.format(model="Problem")}}}
    # Only what sends takes headers, and only a queued message or batch has a route that shows it.
    if "202" in operation["responses"] and any(each["in"] == "header" for each in operation.get("parameters", ())):
        operation["responses"]["202"]["headers"]["Location"] = {
            "description": "The route that shows its status.",
            "schema": {"type": "string"},
        }
    for status, text in _REFUSALS.items():
        operation["responses"][status] = {"description": text, "content": problem}


_REFUSALS: Final = {
    "400": "The request is not valid; `errors` names the fields.",
    "401": "The key is missing or unknown.",
    "403": "The key lacks the role.",
    "404": "Not found.",
    "409": "The resource's state does not allow this.",
    "413": "The body is too large.",
    "415": "The body's content type is not supported.",
    "422": "Meta refused it, it does not fit its template, or the Idempotency-Key was used with another body.",
    "429": "Too many calls or waiting messages, or one of Meta's limits; `Retry-After` says when.",
    "502": "Meta failed, or does not accept this service's account.",
    "503": "The store cannot be reached or is full, or Meta cannot be reached.",
    "504": "Meta's answer did not arrive, or the message expired.",
}
