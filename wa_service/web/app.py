"""The web application: its blueprints, and who may call each of their routes."""

from __future__ import annotations

from collections.abc import Sequence

from flask import Blueprint, Flask, Response
from flask_openapi3.models.info import Info
from flask_openapi3.openapi import OpenAPI
from pydantic import ValidationError
from werkzeug.routing import BaseConverter

from wa_service.config.web_options import WebOptions
from wa_service.observability.metrics_buffer import MetricsBuffer
from wa_service.runtime import Runtime
from wa_service.service import wiring
from wa_service.service.wiring import Services
from wa_service.web import problems
from wa_service.web.api import api_blueprint, measure_calls
from wa_service.web.auth import KeyRing, check_routes, require_keys
from wa_service.web.console.pages import console_blueprint
from wa_service.web.docs_page import docs_blueprint
from wa_service.web.health import health_blueprint
from wa_service.web.limits import CallLimits
from wa_service.web.loopback_hosts import refuse_foreign_hosts
from wa_service.web.openapi import DESCRIPTION, refuse_unknown_parameters
from wa_service.web.trusted_proxies import TrustedProxies
from wa_service.web.webhook import webhook_blueprint
from wa_service.whatsapp.outbound.field_problems import problems as field_problems


class WamidConverter(BaseConverter):
    """Matches Meta's id of a message, which is base64 and may contain slashes, or any other single segment."""

    regex = r"wamid\.[A-Za-z0-9+/=_\-]+|[^/]+"
    part_isolating = False


class MessageIdConverter(BaseConverter):
    """Matches our id of a message or Meta's, but not the routes below it."""

    regex = rf"(?!.*/read$)(?:{WamidConverter.regex})"
    part_isolating = False


def create_app(runtime: Runtime, options: WebOptions) -> Flask:
    """Return the application of one web process."""
    app = OpenAPI(
        __name__,
        info=Info(title="wa_service", version="1", description=DESCRIPTION),
        doc_ui=False,
        validation_error_status=400,
        validation_error_callback=_invalid_parameters,
        static_folder=None,
    )
    # A redirect that merges slashes would repeat the Host header that the caller sent.
    app.url_map.merge_slashes = False
    app.url_map.converters |= {"message_id": MessageIdConverter, "wamid": WamidConverter}
    problems.install(app)

    limits = CallLimits(runtime.store, options.api_rate)
    metrics_buffer = MetricsBuffer(on_written=runtime.count_writer.soon)
    services = wiring.build(runtime, metrics_buffer)
    services.intake.announce_start()
    api = api_blueprint(runtime, services, options.send_wait)
    measure_calls(api)
    health = health_blueprint(runtime.store, runtime.observer, metrics_buffer, options.metrics_key, limits.count_guess)
    keys = KeyRing(options.api_keys)
    docs = docs_blueprint(app, runtime.numbers, options.send_ttl, lambda given: keys.find(given) is not None)
    console = _console(options, services, limits)
    refuse_foreign_hosts((api, health, docs, *console), options.bind, options.trusted_proxies)
    require_keys(api, keys, limits.count_guess)
    limits.count_calls(app, api)
    refuse_unknown_parameters(api)

    app.register_blueprint(
        webhook_blueprint(
            runtime.verifier,
            services.intake,
            verify_token=options.verify_token.get_secret_value(),
            count_refused=limits.count_refused,
            metrics_buffer=metrics_buffer,
            debug=options.log_level == "debug",
        )
    )
    app.register_blueprint(health)
    app.extensions["metrics_buffer"] = metrics_buffer
    app.register_api(api)
    app.register_blueprint(docs)
    for pages in console:
        app.register_blueprint(pages)
    check_routes(app)
    if options.trusted_proxies:
        app.wsgi_app = TrustedProxies(app.wsgi_app, options.trusted_proxies)  # type: ignore[method-assign]  # as Flask documents
    return app


def _console(options: WebOptions, services: Services, limits: CallLimits) -> Sequence[Blueprint]:
    """Return the console's blueprint, if it is enabled and there is a key to sign in with."""
    if not options.console or not options.api_keys:
        return ()
    pages = console_blueprint(
        services.console,
        options.api_keys,
        server_secret=options.verify_token.get_secret_value(),
        numbers_for=options.console_numbers,
        count_failure=limits.count_sign_in,
        count_use=limits.count_session,
    )
    return (pages,)


def _invalid_parameters(error: ValidationError) -> Response:
    return problems.ProblemError(problems.INVALID, fields=field_problems(error)).response()
