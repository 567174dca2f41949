"""`/v1/numbers`: requests to Meta about one of our numbers."""

from __future__ import annotations

from typing import Literal

from flask import Response
from flask_openapi3.blueprint import APIBlueprint
from pydantic import ConfigDict, Field, ValidationError

from wa_service.web.auth import allow
from wa_service.web.bodies import json_object
from wa_service.web.cached_schema import CachedSchemaModel
from wa_service.web.models import ResponseBody
from wa_service.web.openapi import operation
from wa_service.web.problems import INVALID, NOT_FOUND, ProblemError
from wa_service.web.sender_numbers import SenderClients
from wa_service.whatsapp.outbound.field_problems import problems


class NumberPath(CachedSchemaModel):
    """Which number of ours."""

    id: str = Field(max_length=64, description="Our phone number id.")


class SyncRequest(CachedSchemaModel):
    """What Meta sends again."""

    model_config = ConfigDict(extra="forbid")

    sync_type: Literal["smb_app_state_sync", "history"] = Field(
        default="smb_app_state_sync", description="The address book of the WhatsApp Business app, or its chats."
    )


class SyncBegun(ResponseBody):
    """The data arrives by webhook, as events of kind `management` and `history`."""

    request_id: str | None


def add_number_routes(api: APIBlueprint, clients: SenderClients) -> None:
    """Add the routes."""

    @api.post("/numbers/<id>/sync", **operation(202, SyncBegun, body=SyncRequest))
    @allow("manage")
    def sync_number(path: NumberPath) -> Response:
        """Ask Meta for the address book or the chats of the WhatsApp Business app.

        Meta allows each once, within 24 hours after the number was onboarded from the app.
        """
        client = clients.by_number.get(path.id)
        if client is None:
            raise ProblemError(NOT_FOUND)
        try:
            asked = SyncRequest.model_validate(json_object(optional=True))
        except ValidationError as error:
            raise ProblemError(INVALID, fields=problems(error)) from None
        request_id = client.sync_app_data(asked.sync_type).get("request_id")
        return SyncBegun(request_id=request_id if isinstance(request_id, str) else None).respond(202)
