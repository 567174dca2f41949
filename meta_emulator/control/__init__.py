"""The control API under ``/_emulator/``, used by tests and the phone page.

Errors are ``{"error": "<sentence>"}`` with 400, 404 or 409. Each function's docstring has its shapes.
"""

from __future__ import annotations

from flask import Blueprint, Response

from meta_emulator.control.accounts import AccountControls
from meta_emulator.control.business_app import BusinessAppControls
from meta_emulator.control.conversations import ConversationControls
from meta_emulator.control.faults import FaultControls
from meta_emulator.control.groups import GroupControls
from meta_emulator.control.http import ControlError, json_response
from meta_emulator.control.identity import IdentityControls
from meta_emulator.control.load import LoadControls
from meta_emulator.control.media import MediaControls
from meta_emulator.control.observation import ObservationControls
from meta_emulator.control.openapi import DescriptionControls
from meta_emulator.control.phones import PhoneControls
from meta_emulator.control.recording import RecordingControls
from meta_emulator.control.routes import Controls, Route
from meta_emulator.control.templates import TemplateControls
from meta_emulator.control.webhooks import WebhookControls
from meta_emulator.control.world import WorldControls
from meta_emulator.world import World

__all__ = ["control_blueprint", "control_routes"]

_GROUPS: tuple[type[Controls], ...] = (
    WorldControls,
    AccountControls,
    PhoneControls,
    IdentityControls,
    BusinessAppControls,
    GroupControls,
    ConversationControls,
    MediaControls,
    FaultControls,
    ObservationControls,
    WebhookControls,
    TemplateControls,
    LoadControls,
    RecordingControls,
    DescriptionControls,
)


def control_routes() -> tuple[Route, ...]:
    """Return every route of the control API."""
    return tuple(each for controls in _GROUPS for each in controls.own_routes())


def control_blueprint(world: World) -> Blueprint:
    """Return the routes of the control API."""
    blueprint = Blueprint("control", __name__, url_prefix="/_emulator")

    @blueprint.errorhandler(ControlError)
    def refused(error: ControlError) -> Response:
        return json_response({"error": str(error)}, error.status)

    @blueprint.errorhandler(ValueError)
    def wrong(error: ValueError) -> Response:
        return json_response({"error": str(error)}, 400)

    Controls.routes = control_routes()
    for controls in _GROUPS:
        controls(world).register(blueprint)

    @blueprint.route("/<path:path>", methods=["GET", "POST", "PATCH", "PUT", "DELETE"])
    def unknown(path: str) -> Response:
        return json_response({"error": f"no route /_emulator/{path} for this method"}, 404)

    return blueprint
