"""A worker's series on a port of its own (WA_WORKER_METRICS_PORT), for machines without a web process.

One worker process of a machine answers for all of them, since they share their counts; when it ends, for a successor
or for good, another one takes the port.
"""

from __future__ import annotations

from gevent.pywsgi import WSGIServer

from wa_service.observability import log, metrics
from wa_service.observability.exposition import snapshot
from wa_service.store.overview import Observer


class ScrapeServer:
    """Serves `/metrics` once the port is free."""

    def __init__(self, port: int, key: str | None, observer: Observer) -> None:
        self._app = metrics.guarded_app(metrics.scrape_registry(lambda: snapshot(observer)), key)
        self._port = port
        self._server: WSGIServer | None = None
        self._log = log.get_logger(port=port)

    def start(self) -> None:
        """Listens, unless it does already or the port is taken; call it again later in that case."""
        if self._server is not None:
            return
        server = WSGIServer(("", self._port), self._app, log=None, error_log=None)
        try:
            server.start()
        except OSError:
            return
        self._server = server
        self._log.info("whatsapp.worker.metrics_served")

    def stop(self) -> None:
        """Listens no more."""
        if self._server is not None:
            self._server.stop(timeout=1)
            self._server = None
