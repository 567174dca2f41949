"""The web application: its blueprints, and who may call each of their routes."""

from __future__ import annotations

import time

from flask import Blueprint, Flask, Response, g, request
from flask_openapi3.models.info import Info
from flask_openapi3.openapi import OpenAPI
from prometheus_client import CollectorRegistry
from prometheus_flask_exporter import PrometheusMetrics
from pydantic import ValidationError
from werkzeug.routing import BaseConverter

from wa_service import runtime as wiring
from wa_service.config import settings as configuration
from wa_service.config.settings import Settings
from wa_service.observability import log
from wa_service.runtime import Runtime
from wa_service.service.intake import Intake
from wa_service.web import problems
from wa_service.web.api import api_blueprint
from wa_service.web.auth import KeyRing, check_routes, guard
from wa_service.web.health import health_blueprint
from wa_service.web.limits import CallLimits
from wa_service.web.metrics_buffer import WebhookTally
from wa_service.web.openapi import DESCRIPTION, docs_blueprint
from wa_service.web.trusted_proxies import TrustedProxies
from wa_service.web.webhook import webhook_blueprint
from wa_service.whatsapp.outbound.field_problems import problems as field_problems


class Wamid(BaseConverter):
    """Meta's id of a message, which is base64 and may hold slashes; or what stands in its place."""

    regex = r"wamid\.[A-Za-z0-9+/=_\-]+|[^/]+"
    part_isolating = False


class MessageId(BaseConverter):
    """Our id of a message, or Meta's; without the addresses below it."""

    regex = rf"(?!.*/read$)(?:{Wamid.regex})"
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
    app = OpenAPI(
        __name__,
        info=Info(title="wa_service", version="1", description=DESCRIPTION),
        doc_ui=False,
        validation_error_status=400,
        validation_error_callback=_invalid_parameters,
        static_folder=None,
    )
    app.url_map.converters |= {"message_id": MessageId, "wamid": Wamid}
    problems.install(app)

    limits = CallLimits(runtime.store, settings.api_rate)
    tally = WebhookTally()
    intake = Intake(runtime, tally)
    intake.announce_start()
    api = api_blueprint(runtime, intake)
    _observe(api)
    guard(api, KeyRing(settings.api_keys), limits.refused)
    limits.guard(app, api)

    app.register_blueprint(webhook_blueprint(runtime, intake, limits, tally))
    app.register_blueprint(health_blueprint(runtime, tally))
    app.register_api(api)
    app.register_blueprint(docs_blueprint(app, runtime.numbers, settings.send_ttl))
    check_routes(app)
    if settings.trusted_proxies:
        app.wsgi_app = TrustedProxies(app.wsgi_app, settings.trusted_proxies)  # type: ignore[method-assign]  # Flask's own way
    return app


def _observe(api: Blueprint) -> None:
    """Measures and logs each call to the REST API.

    The exporter's hooks are put on the blueprint alone: on the application they would cost every webhook, too, which
    has series of its own. Its own page is left out, since it knows nothing of the store (see `health.py`).
    """
    exporter = PrometheusMetrics(None, path=None, export_defaults=False, registry=CollectorRegistry())
    exporter.export_defaults(group_by="url_rule", app=api)
    logger = log.get_logger()

    def begin() -> None:
        g.started = time.perf_counter()

    def tell(response: Response) -> Response:
        key = g.get("api_key")
        logger.info(
            "whatsapp.api",
            method=request.method,
            route=str(request.url_rule),
            status=response.status_code,
            key=key.name if key else None,
            ms=round((time.perf_counter() - g.started) * 1000),
        )
        return response

    api.before_request(begin)
    api.after_request(tell)


def _invalid_parameters(error: ValidationError) -> Response:
    return problems.ProblemError(problems.INVALID, fields=field_problems(error)).response()
