"""`/v1/contacts/{id}/stop` and `/v1/stops`: who wants no marketing."""

from __future__ import annotations

from typing import Annotated, Any, Final

from flask import Response, request
from flask_openapi3.blueprint import APIBlueprint
from pydantic import Field

from wa_service.service.stop_import import MOST_LINES, import_stops
from wa_service.store.stops import Stops
from wa_service.web.auth import allow
from wa_service.web.bodies import NDJSON, NDJSON_TYPES, whole_body
from wa_service.web.contact_routes import ContactPath
from wa_service.web.models import ResponseBody, Stopped
from wa_service.web.openapi import operation
from wa_service.web.problems import MEDIA_TYPE, NOT_FOUND, TOO_LARGE, ProblemError
from wa_service.whatsapp.addresses import as_stored, is_user_id
from wa_service.whatsapp.phone_numbers import is_number

LARGEST_IMPORT: Final = 2 * 1024 * 1024


class StopCard(ResponseBody):
    """A customer's STOP; null: none."""

    stopped: Stopped | None


class RefusedLine(ResponseBody):
    """A refused line, counted from 0, and why."""

    index: int
    problem: str


class Imported(ResponseBody):
    """How many lines were taken, and which were refused."""

    taken: int
    refused: Annotated[list[RefusedLine], Field(description="The others were taken.")]


def add_stop_routes(api: APIBlueprint, stops: Stops) -> None:
    """Add the routes."""

    @api.put("/contacts/<id>/stop", **operation(200, StopCard))
    @allow("send")
    def stop_marketing(path: ContactPath) -> Response:
        """Stop marketing to this customer, who need not be known yet. It outlives their erasure."""
        address = _address(path.id)
        stops.apply(address, stop=True, by="api")
        return StopCard(stopped=Stopped.of(stops.find(address))).respond()

    @api.delete("/contacts/<id>/stop", **operation(200, StopCard))
    @allow("manage")
    def start_marketing(path: ContactPath) -> Response:
        """Allow marketing to this customer again, because they asked for it."""
        address = _address(path.id)
        stops.apply(address, stop=False, by="api")
        return StopCard(stopped=Stopped.of(stops.find(address))).respond()

    @api.post("/stops", **_import_operation())
    @allow("manage")
    def import_stopped() -> Response:
        """Import customers who want no marketing: one per line, `{"to": "447700900123"}`, at most 10,000.

        Safe to repeat.
        """
        done = import_stops(stops, _lines())
        refused = [RefusedLine(index=index, problem=problem) for index, problem in done.refused]
        return Imported(taken=done.taken, refused=refused).respond()


def _import_operation() -> dict[str, Any]:
    described = operation(200, Imported)
    line = {"type": "string", "pattern": r'^(\{"to": ?"[1-9][0-9]{6,14}"\}\n?){0,5}$'}
    described["openapi_extensions"]["requestBody"] = {"required": True, "content": {NDJSON: {"schema": line}}}
    return described


def _address(given: str) -> str:
    address = as_stored(given)
    if not (is_number(address) or is_user_id(address)):
        raise ProblemError(NOT_FOUND, "Name a customer by a phone number or a business-scoped user id.")
    return address


def _lines() -> list[bytes]:
    if request.mimetype not in NDJSON_TYPES:
        raise ProblemError(MEDIA_TYPE, f"Send one JSON text per line as {NDJSON}.")
    lines = whole_body(LARGEST_IMPORT).split(b"\n")
    if len(lines) > MOST_LINES + 1:
        raise ProblemError(TOO_LARGE, f"The body may have at most {MOST_LINES} lines.")
    return lines
