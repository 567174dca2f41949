"""One Graph call, parsed for its handler."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from typing import Any

import orjson
from werkzeug.datastructures import FileStorage
from werkzeug.wrappers import Request

from meta_emulator.errors import GraphError, parameter
from meta_emulator.faults import Fault
from meta_emulator.records import BusinessNumber
from meta_emulator.world import World

JsonObject = dict[str, Any]


@dataclass(slots=True)
class Call:
    """Method, path and parameters; query, form and JSON body are one mapping (reference 1.3)."""

    world: World
    method: str
    version: str
    path: tuple[str, ...]
    params: JsonObject
    files: dict[str, FileStorage]
    token: str
    url: str
    headers: dict[str, str]
    body: bytes = b""
    fault: Fault | None = None
    message_ids: list[str] = field(default_factory=list)

    @property
    def object_id(self) -> str:
        """Node id: the first path component."""
        return self.path[0]

    @property
    def edge(self) -> str:
        """Path after the node id."""
        return "/".join(self.path[1:])

    @property
    def number(self) -> BusinessNumber:
        """Business number of the call (only for handlers of numbers)."""
        return self.world.numbers[self.object_id]

    def text(self, name: str, default: str = "") -> str:
        """Return a parameter as text."""
        value = self.params.get(name, default)
        return value if isinstance(value, str) else json.dumps(value)

    def integer(self, name: str, default: int) -> int:
        """Return a parameter as an integer; raise error 100 if it is not one."""
        try:
            return int(self.params.get(name, default))
        except (TypeError, ValueError):
            raise parameter(f"Param {name} must be an integer") from None

    def nested(self, name: str) -> Any:
        """Return an object or list parameter, which forms and queries encode as JSON text."""
        value = self.params.get(name)
        if isinstance(value, str):
            try:
                return orjson.loads(value)
            except orjson.JSONDecodeError:
                return value
        return value


def parameters(request: Request, body: bytes) -> JsonObject:
    """Return query, form fields and JSON body in one mapping; raise error 100 if the body is not a JSON object."""
    params: JsonObject = request.args.to_dict() if request.query_string else {}
    kind = request.mimetype
    if kind in ("application/x-www-form-urlencoded", "multipart/form-data"):
        params.update(request.form.to_dict())
    elif body.strip():
        try:
            parsed = orjson.loads(body)
        except orjson.JSONDecodeError:
            raise GraphError(100, "The request body is not valid JSON.", message="(#100) Invalid parameter") from None
        if not isinstance(parsed, dict):
            raise GraphError(100, "The request body must be a JSON object.", message="(#100) Invalid parameter")
        params.update(parsed)
    return params


def token_of(request: Request, params: JsonObject) -> str:
    """Remove and return the access token; a parameter takes precedence over the header."""
    sent = params.pop("access_token", "")
    if isinstance(sent, str) and sent:
        return sent
    scheme, _, credentials = request.headers.get("Authorization", "").partition(" ")
    return credentials.strip() if scheme.lower() in ("bearer", "oauth") else ""
