"""Models that the REST API's responses share; they also generate the OpenAPI description."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Annotated, Literal

from flask import Response
from pydantic import BaseModel, ConfigDict, PlainSerializer, WithJsonSchema

from wa_service.store.stops import StopState
from wa_service.web.cached_schema import CachedSchemaModel


def _iso(milliseconds: int) -> str:
    """Return milliseconds since 1970 as RFC 3339, at most the last moment of the year 9999."""
    moment = min(max(milliseconds, 0), 253_402_300_799_999)
    return datetime.fromtimestamp(moment / 1000, UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


Moment = Annotated[
    int, PlainSerializer(_iso, return_type=str), WithJsonSchema({"type": "string", "format": "date-time"})
]
"""Milliseconds since 1970, written as RFC 3339 in UTC."""


class ResponseBody(CachedSchemaModel):
    """The body of a response."""

    model_config = ConfigDict(frozen=True)

    def respond(self, status: int = 200, headers: Mapping[str, str] | None = None) -> Response:
        """Return the response with this body."""
        return Response(self.model_dump_json(by_alias=True), status, headers, content_type="application/json")


class Success(ResponseBody):
    """It was done."""

    success: Literal[True] = True


class FieldProblem(BaseModel):
    """What is wrong with one field of the request."""

    field: str
    detail: str


class ProblemBody(BaseModel):
    """RFC 9457. If Meta refused, `code`, `meta_title`, `details` and `fbtrace_id` are Meta's own."""

    model_config = ConfigDict(extra="allow", title="Problem")

    type: str
    title: str
    status: int
    retryable: bool
    detail: str | None = None
    errors: list[FieldProblem] | None = None
    code: int | None = None
    subcode: int | None = None
    meta_title: str | None = None
    details: str | None = None
    fbtrace_id: str | None = None
    id: str | None = None


class Stopped(ResponseBody):
    """Since when a customer wants no marketing, and the source: `words`, `meta`, `131050`, `api` or `import`."""

    marketing: Moment
    by: str

    @classmethod
    def of(cls, state: StopState | None) -> Stopped | None:
        """Return the state as a caller sees it, None without a STOP."""
        return cls(marketing=state.marketing, by=state.by) if state else None
