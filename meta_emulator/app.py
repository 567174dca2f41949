"""The WSGI application: Graph API, control API, event stream and phone page around one world."""

from __future__ import annotations

from flask import Flask

from meta_emulator.accounts import AccountsMiddleware
from meta_emulator.config import EmulatorConfig
from meta_emulator.control import control_blueprint
from meta_emulator.disconnect import DisconnectMiddleware
from meta_emulator.event_stream import event_stream_blueprint
from meta_emulator.graph import GraphMiddleware, graph_blueprint
from meta_emulator.page_routes import page_blueprint
from meta_emulator.request_guard import GuardMiddleware
from meta_emulator.seed import new_world
from meta_emulator.world import World

_REQUEST_BYTES = 105 * 1024 * 1024


def create_app(config: EmulatorConfig, world: World | None = None) -> Flask:
    """Return the application for ``world``, or for a newly seeded one.

    The world is at ``app.extensions["emulator"]``.
    """
    world = world or new_world(config)
    app = Flask(__name__, static_folder=None)
    app.config["MAX_CONTENT_LENGTH"] = _REQUEST_BYTES
    app.url_map.strict_slashes = False
    app.extensions["emulator"] = world
    app.register_blueprint(page_blueprint())
    app.register_blueprint(event_stream_blueprint(world))
    app.register_blueprint(control_blueprint(world))
    app.register_blueprint(graph_blueprint(world))
    guarded = GuardMiddleware(GraphMiddleware(app.wsgi_app, world), config)
    disconnecting = DisconnectMiddleware(guarded)
    accounts = AccountsMiddleware(disconnecting, world, lambda other: create_app(other.config, other))
    app.wsgi_app = accounts  # type: ignore[method-assign]  # Flask documents wrapping it this way.
    return app
