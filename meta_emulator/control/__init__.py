"""The control API under ``/_emulator/``, used by tests and the phone page.

Errors are ``{"error": "<sentence>"}`` with 400, 404, 405 or 409. Each function's docstring has its shapes.
"""

from __future__ import annotations

from flask import Blueprint, Response, current_app, request
from werkzeug.exceptions import NotFound

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
from meta_emulator.world import StateError, World

__all__ = ["control_blueprint", "control_routes"]

_METHODS = ("DELETE", "GET", "HEAD", "OPTIONS", "PATCH", "POST", "PUT", "TRACE")
_UNKNOWN = "control.unknown"
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

    @blueprint.errorhandler(StateError)
    def not_now(error: StateError) -> Response:
        return json_response({"error": str(error)}, 409)

    Controls.routes = control_routes()
    for controls in _GROUPS:
        controls(world).register(blueprint)

    @blueprint.route("/", methods=_METHODS)
    @blueprint.route("/<path:_>", methods=_METHODS)
    def unknown(_: str = "") -> Response:
        allowed = _methods_of(request.path)
        if not allowed:
            return _no_route()
        response = json_response({"error": f"{request.path} is for {', '.join(allowed)}"}, 405)
        if request.method == "OPTIONS":
            response = Response(status=204)
        response.headers["Allow"] = ", ".join(allowed)
        return response

    @blueprint.app_errorhandler(404)
    def not_found(error: NotFound) -> Response | NotFound:
        # A path with a line break, which no route matches.
        return _no_route() if request.path.startswith("/_emulator/") else error

    return blueprint


def _no_route() -> Response:
    return json_response({"error": f"no route {request.path}"}, 404)


def _methods_of(path: str) -> list[str]:
    """Return the methods that a path has a route for."""
    matcher = current_app.url_map.bind("")
    found = []
    for method in _METHODS:
        endpoint, _ = matcher.match(path, method=method)
        if endpoint != _UNKNOWN:
            found.append(method)
    return found
