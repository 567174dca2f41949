"""The REST API for internal tools, `/v1`: its routes, each with who may call it. What they do is next door."""

from __future__ import annotations

from flask import Response
from flask_openapi3.blueprint import APIBlueprint

from wa_service.runtime import Runtime
from wa_service.web import models
from wa_service.web.auth import allow
from wa_service.web.bodies import json_object
from wa_service.web.messages import Messages
from wa_service.web.template_list import Templates


def add_messages(api: APIBlueprint, messages: Messages) -> None:
    """Send, look up, mark as read."""

    @api.post("/messages", responses={200: models.Message, 202: models.Message})
    @allow("send")
    def send_message() -> Response:
        """Send a message"""
        return messages.send(json_object())

    @api.get("/messages/<message_id:id>", responses={200: models.Message})
    @allow("read")
    def show_message(path: models.MessagePath) -> Response:
        """What became of a message"""
        return messages.show(path.id)


def api_blueprint(runtime: Runtime) -> APIBlueprint:
    """Every route of the REST API."""
    api = APIBlueprint("v1", __name__, url_prefix="/v1")
    add_messages(api, Messages(runtime, Templates(None)))
    return api
