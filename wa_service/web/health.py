"""Routes for operators: `/healthz` (liveness), `/readyz` (readiness), `/metrics`."""

from __future__ import annotations

from collections.abc import Callable
from threading import Lock

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
    """Return the three routes for operators; `metrics_key` is the bearer token of `/metrics`, None: no token."""
    blueprint = Blueprint("health", __name__)
    registry = exposition.scrape_registry(lambda: observer.overview().samples())

    def render() -> tuple[bytes, str]:
        metrics_buffer.write()
        return exposition.render(registry)

    page = SharedPage(render)

    @blueprint.get("/healthz")
    @allow("anyone")
    def alive() -> Response:
        """Answer that the process is alive."""
        return Response('{"status":"ok"}', content_type="application/json")

    @blueprint.get("/readyz")
    @allow("anyone")
    def ready() -> Response:
        """Answer whether the store is available. The service stays ready while a number is paused: its sends wait."""
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
        body, content_type = page.read()
        return Response(body, content_type=content_type)

    return blueprint


class SharedPage:
    """A page that is expensive to render: requests that arrive during a rendering share the next one."""

    def __init__(self, render: Callable[[], tuple[bytes, str]]) -> None:
        self._render = render
        self._lock = Lock()
        self._begun = self._made = self.waiting = 0
        self._page: tuple[bytes, str] = b"", ""

    def read(self) -> tuple[bytes, str]:
        """Return a page whose rendering began after this call."""
        before = self._begun
        self.waiting += 1
        with self._lock:
            self.waiting -= 1
            if self._made <= before:
                self._begun += 1
                self._page = self._render()
                self._made = self._begun
            return self._page
