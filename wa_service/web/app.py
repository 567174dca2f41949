"""The web application: its blueprints, and who may call each of their routes."""

from __future__ import annotations

from flask import Flask
from flask_openapi3.models import Info
from flask_openapi3.openapi import OpenAPI
from werkzeug.routing import BaseConverter

from wa_service import runtime as wiring
from wa_service import settings as configuration
from wa_service.runtime import Runtime
from wa_service.settings import Settings
from wa_service.web import problems
from wa_service.web.api import api_blueprint
from wa_service.web.auth import KeyRing, check_routes, guard
from wa_service.web.health import health_blueprint
from wa_service.web.intake import Intake
from wa_service.web.limits import CallLimits
from wa_service.web.webhook import webhook_blueprint


class MessageId(BaseConverter):
    """Our id of a message, or Meta's, which is base64 and may hold slashes."""

    regex = r"wamid\.[A-Za-z0-9+/=_\-]+|[^/]+"
    part_isolating = False


def create_app(settings: Settings | None = None, runtime: Runtime | None = None) -> Flask:
    """The application of one web process.

    Raises:
        SettingsError: without `settings` and `runtime`, where the environment's cannot be used.
        EmbeddedValkeyError: no REDIS_URL is set and no embedded Valkey answers.
    """
    if runtime is None:
        runtime = wiring.build(settings or configuration.load())
    settings = runtime.settings
    app = OpenAPI(__name__, info=Info(title="wa_service", version="1"), doc_ui=False, static_folder=None)
    app.url_map.converters["message_id"] = MessageId
    problems.install(app)

    limits = CallLimits(runtime.store, settings.api_rate)
    intake = Intake(runtime)
    intake.announce_start()
    api = api_blueprint(runtime)
    guard(api, KeyRing(settings.api_keys), limits.refused)
    limits.guard(app, api)
    app.register_blueprint(webhook_blueprint(runtime, intake, limits))
    app.register_blueprint(health_blueprint(runtime))
    app.register_api(api)
    check_routes(app)
    return app
