"""The control face under ``/_emulator/``, apart from Graph: what tests and the page do to the world.

A mistake answers ``{"error": "<sentence>"}`` with 400, 404 or 409. Bodies and answers are JSON. ``docs/emulator.md``
has them all with their shapes; each function's docstring has its own.
"""

from __future__ import annotations

from flask import Blueprint, Response

from meta_emulator.control.conversations import ConversationControls
from meta_emulator.control.faults import FaultControls
from meta_emulator.control.http import ControlError, json_response
from meta_emulator.control.media import MediaControls
from meta_emulator.control.observation import ObservationControls
from meta_emulator.control.phones import PhoneControls
from meta_emulator.control.templates import TemplateControls
from meta_emulator.control.webhooks import WebhookControls
from meta_emulator.control.world import WorldControls
from meta_emulator.world import World

__all__ = ["control_blueprint"]

_GROUPS = (
    WorldControls,
    PhoneControls,
    ConversationControls,
    MediaControls,
    FaultControls,
    ObservationControls,
    WebhookControls,
    TemplateControls,
)


def control_blueprint(world: World) -> Blueprint:
    """Every control route around one world."""
    blueprint = Blueprint("control", __name__, url_prefix="/_emulator")

    @blueprint.errorhandler(ControlError)
    def refused(error: ControlError) -> Response:
        return json_response({"error": str(error)}, error.status)

    @blueprint.errorhandler(ValueError)
    def wrong(error: ValueError) -> Response:
        return json_response({"error": str(error)}, 400)

    for controls in _GROUPS:
        controls(world).register(blueprint)

    @blueprint.route("/<path:path>", methods=["GET", "POST", "PATCH", "PUT", "DELETE"])
    def unknown(path: str) -> Response:
        return json_response({"error": f"there is no control /_emulator/{path} for this method"}, 404)

    return blueprint
