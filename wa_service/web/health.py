"""For operators: `/healthz` (it is alive), `/readyz` (it can work), `/metrics`."""

from __future__ import annotations

from collections.abc import Callable

from flask import Blueprint, Response, request
from pydantic import SecretStr

from wa_service.observability import exposition
from wa_service.observability.metrics_buffer import MetricsBuffer
from wa_service.store.client import Store
from wa_service.store.flusher import StoreUnavailableError
from wa_service.store.overview import Observer
from wa_service.web.auth import allow
from wa_service.web.problems import UNAUTHORIZED, ProblemError, store_unavailable


def health_blueprint(
    store: Store,
    observer: Observer,
    metrics_buffer: MetricsBuffer,
    metrics_key: SecretStr | None,
    count_refused: Callable[[], None],
) -> Blueprint:
    """Return the three routes for operators; `metrics_key` is what `/metrics` asks for, None: nothing."""
    blueprint = Blueprint("health", __name__)
    registry = exposition.scrape_registry(lambda: observer.overview().samples())

    @blueprint.get("/healthz")
    @allow("anyone")
    def alive() -> Response:
        """Answer: the process is alive."""
        return Response('{"status":"ok"}', content_type="application/json")

    @blueprint.get("/readyz")
    @allow("anyone")
    def ready() -> Response:
        """Answer whether the store does. While a number is paused sends wait, so the service stays ready."""
        try:
            store.do("PING")
        except StoreUnavailableError:
            raise store_unavailable() from None
        return Response('{"status":"ready"}', content_type="application/json")

    @blueprint.get("/metrics")
    @allow("metrics key")
    def scrape() -> Response:
        """Return every series of this machine's processes, and of the store."""
        given = request.headers.get("Authorization", "")
        if metrics_key is not None and not exposition.may_scrape(given, metrics_key.get_secret_value()):
            count_refused()
            raise ProblemError(UNAUTHORIZED, headers={"WWW-Authenticate": 'Bearer realm="metrics"'})
        metrics_buffer.write()
        body, content_type = exposition.render(registry)
        return Response(body, content_type=content_type)

    return blueprint
