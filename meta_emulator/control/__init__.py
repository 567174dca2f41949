"""The control face under ``/_emulator/``, apart from Graph: what tests and the page do to the world.

A mistake answers ``{"error": "<sentence>"}`` with 400, 404 or 409. Bodies and answers are JSON. ``docs/emulator.md``
has them all with their shapes; each function's docstring has its own.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from flask import Blueprint, Response

from .answers import ControlError, answer
from .conversations import ConversationControls
from .faults import FaultControls
from .media import MediaControls
from .phones import PhoneControls
from .templates import TemplateControls
from .watch import WatchControls
from .webhooks import WebhookControls
from .world_state import WorldControls

if TYPE_CHECKING:
    from meta_emulator.world import World

__all__ = ["control_blueprint"]

_GROUPS = (
    WorldControls,
    PhoneControls,
    ConversationControls,
    MediaControls,
    FaultControls,
    WatchControls,
    WebhookControls,
    TemplateControls,
)


def control_blueprint(world: World) -> Blueprint:
    """Every control route around one world."""
    blueprint = Blueprint("control", __name__, url_prefix="/_emulator")

    @blueprint.errorhandler(ControlError)
    def refused(error: ControlError) -> Response:
        return answer({"error": str(error)}, error.status)

    @blueprint.errorhandler(ValueError)
    def wrong(error: ValueError) -> Response:
        return answer({"error": str(error)}, 400)

    for controls in _GROUPS:
        controls(world).register(blueprint)

    @blueprint.route("/<path:path>", methods=["GET", "POST", "PATCH", "PUT", "DELETE"])
    def unknown(path: str) -> Response:
        return answer({"error": f"there is no control /_emulator/{path} for this method"}, 404)

    return blueprint
