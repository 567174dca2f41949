"""Is it alive, is it ready, and what do its series say: `/healthz`, `/readyz`, `/metrics`."""

from __future__ import annotations

from flask import Blueprint, Response, request

from wa_service.observability import exposition
from wa_service.runtime import Runtime
from wa_service.store.flusher import StoreUnavailableError
from wa_service.web.auth import allow
from wa_service.web.metrics_buffer import WebhookTally
from wa_service.web.problems import UNAUTHORIZED, ProblemError, store_away


def health_blueprint(runtime: Runtime, tally: WebhookTally) -> Blueprint:
    """The three routes for operators."""
    blueprint = Blueprint("health", __name__)
    metrics_key = runtime.settings.metrics_key
    registry = exposition.scrape_registry(lambda: runtime.observer.overview().samples())

    @blueprint.get("/healthz")
    @allow("anyone")
    def alive() -> Response:
        """The process answers."""
        return Response('{"status":"ok"}', content_type="application/json")

    @blueprint.get("/readyz")
    @allow("anyone")
    def ready() -> Response:
        """The store answers. While a number is paused sends wait, so the service stays ready."""
        try:
            runtime.store.do("PING")
        except StoreUnavailableError:
            raise store_away() from None
        return Response('{"status":"ready"}', content_type="application/json")

    @blueprint.get("/metrics")
    @allow("metrics key")
    def scrape() -> Response:
        """Every series of this machine's processes, and what the store tells."""
        given = request.headers.get("Authorization", "")
        if metrics_key is not None and not exposition.may_scrape(given, metrics_key.get_secret_value()):
            raise ProblemError(UNAUTHORIZED, headers={"WWW-Authenticate": 'Bearer realm="metrics"'})
        tally.write()
        body, content_type = exposition.render(registry)
        return Response(body, content_type=content_type)

    return blueprint
