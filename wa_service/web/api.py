"""The REST API for internal tools, `/v1`: its resources, and the hooks around each call."""

from __future__ import annotations

import time

from flask import Blueprint, Response, g, request
from flask_openapi3.blueprint import APIBlueprint
from prometheus_client import CollectorRegistry
from prometheus_flask_exporter import PrometheusMetrics

from wa_service.observability import log
from wa_service.observability.log_throttle import LogThrottle
from wa_service.runtime import Runtime
from wa_service.service.wiring import Services
from wa_service.web.batch_routes import BatchRoutes
from wa_service.web.contact_routes import add_contact_routes
from wa_service.web.cost_routes import add_cost_routes
from wa_service.web.dead_letter_routes import add_dead_letter_routes
from wa_service.web.event_routes import add_event_routes
from wa_service.web.media_routes import add_media_routes
from wa_service.web.message_routes import MessageRoutes
from wa_service.web.number_routes import add_number_routes
from wa_service.web.sender_numbers import SenderClients
from wa_service.web.stop_routes import add_stop_routes
from wa_service.web.subscription_routes import SubscriptionRoutes
from wa_service.web.template_routes import add_template_routes


def api_blueprint(runtime: Runtime, services: Services, send_wait: float) -> APIBlueprint:
    """Return every route of the REST API; `send_wait` in seconds."""
    api = APIBlueprint("v1", __name__, url_prefix="/v1", operation_id_callback=_operation_id)
    clients = SenderClients(runtime.clients, runtime.numbers[0])
    MessageRoutes(
        services.send, runtime.records, runtime.contacts, runtime.outbox, clients, runtime.numbers, send_wait
    ).add_to(api)
    BatchRoutes(services.batches, services.costs).add_to(api)
    add_cost_routes(api, services.costs)
    add_media_routes(api, clients)
    add_template_routes(api, services.templates)
    add_number_routes(api, clients)
    add_event_routes(api, runtime.events, runtime.contacts)
    add_contact_routes(api, runtime.contacts, services.conversations, runtime.stops)
    add_stop_routes(api, runtime.stops)
    add_dead_letter_routes(api, runtime.dead_letters, services.replay)
    SubscriptionRoutes(services.subscriptions, runtime.subscriptions).add_to(api)
    return api


def measure_calls(api: Blueprint) -> None:
    """Measure and log each call to the REST API.

    The exporter's hooks are on this blueprint only: on the application they would slow down webhooks, which have series
    of their own. The exporter's page is off, since it lacks the store's series (see `health.py`).
    """
    exporter = PrometheusMetrics(None, path=None, export_defaults=False, registry=CollectorRegistry())
    exporter.export_defaults(group_by="url_rule", app=api)
    logger = log.get_logger()
    unknown_callers = LogThrottle(1.0)

    def start_clock() -> None:
        g.started = time.perf_counter()

    def write_log_line(response: Response) -> Response:
        # Personal data must not be cached, unless the view has set the header itself.
        response.headers.setdefault("Cache-Control", "no-store")
        key = g.get("api_key")
        refused = key is None and unknown_callers.count(response.status_code)
        if key is None and not refused:
            return response
        logger.info(
            "whatsapp.api",
            method=request.method,
            route=str(request.url_rule),
            status=response.status_code,
            key=key.name if key else None,
            ms=round((time.perf_counter() - g.started) * 1000),
            **({"count": refused} if refused and refused > 1 else {}),
        )
        return response

    api.before_request(start_clock)
    api.after_request(write_log_line)


def _operation_id(*, name: str, path: str, method: str) -> str:  # noqa: ARG001 - flask-openapi3's signature
    """Name an operation after its function, for documentation and generated clients."""
    return name
