"""The response to a scrape: the series of all processes and of the store, in Prometheus' text format."""

from __future__ import annotations

import hmac
from collections.abc import Callable, Iterable, Iterator
from typing import TYPE_CHECKING

from prometheus_client import REGISTRY, CollectorRegistry
from prometheus_client.exposition import CONTENT_TYPE_LATEST, generate_latest, make_wsgi_app
from prometheus_client.metrics_core import GaugeMetricFamily, Metric
from prometheus_client.registry import Collector

from wa_service.observability.metrics import STORE_GAUGES, StoreSamples
from wa_service.observability.multiprocess import collect_shared

if TYPE_CHECKING:
    from _typeshed.wsgi import StartResponse, WSGIApplication, WSGIEnvironment


class StoreCollector(Collector):
    """The series that are read from the store at each scrape.

    While the store is unavailable they are missing and `whatsapp_store_up` is 0; the rest of the scrape still works.
    """

    def __init__(self, read: Callable[[], StoreSamples]) -> None:
        self._read = read

    def describe(self) -> Iterable[Metric]:
        """Return nothing: registering the collector must not call the store."""
        return ()

    def collect(self) -> Iterator[Metric]:
        """Yield the store's series, or only `whatsapp_store_up 0`."""
        try:
            samples = self._read()
        except Exception:  # noqa: BLE001 - whatever the store does, a scrape must answer
            samples = None
        up = GaugeMetricFamily("whatsapp_store_up", "Whether the store answered this scrape.")
        up.add_metric([], 0 if samples is None else 1)
        yield up
        if samples is None:
            return
        for name, (documentation, label) in STORE_GAUGES.items():
            family = GaugeMetricFamily(name, documentation, labels=[label])
            for value, amount in samples.get(name, {}).items():
                family.add_metric([value], amount)
            yield family


class _OwnProcess(Collector):
    """The default registry inside another one."""

    def describe(self) -> Iterable[Metric]:
        return ()

    def collect(self) -> Iterable[Metric]:
        return REGISTRY.collect()


def scrape_registry(read_store: Callable[[], StoreSamples] | None = None) -> CollectorRegistry:
    """Return the registry of a scrape: all processes' counts, and the store's series if `read_store` is given."""
    registry = CollectorRegistry()
    if not collect_shared(registry):
        registry.register(_OwnProcess())
    if read_store is not None:
        registry.register(StoreCollector(read_store))
    return registry


def render(registry: CollectorRegistry) -> tuple[bytes, str]:
    """Return the body and the content type of `/metrics`."""
    return generate_latest(registry), CONTENT_TYPE_LATEST


def guarded_app(registry: CollectorRegistry, key: str | None = None) -> WSGIApplication:
    """Return a WSGI application that serves a registry, if `key` is given only with that bearer key."""
    app: WSGIApplication = make_wsgi_app(registry)

    def guarded(environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        if key is not None and not may_scrape(environ.get("HTTP_AUTHORIZATION", ""), key):
            start_response("401 Unauthorized", [("WWW-Authenticate", "Bearer"), ("Content-Length", "0")])
            return []
        return app(environ, start_response)

    return guarded


def may_scrape(authorization: str, key: str) -> bool:
    """Whether an `Authorization` header carries the metrics key."""
    return hmac.compare_digest(authorization.encode(), f"Bearer {key}".encode())
