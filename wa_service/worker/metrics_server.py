"""A worker's metrics on a separate port (WA_WORKER_METRICS_PORT), for machines without a web process.

One worker process of a machine serves the shared counts of all; when it ends, another one takes the port.
"""

from __future__ import annotations

import errno

from gevent.pywsgi import WSGIServer

from wa_service.observability import log
from wa_service.observability.exposition import guarded_app, scrape_registry
from wa_service.store.overview import Observer


class MetricsServer:
    """Serve `/metrics`, if no other process has the port."""

    def __init__(self, host: str, port: int, key: str | None, observer: Observer) -> None:
        self._app = guarded_app(scrape_registry(lambda: observer.overview().samples()), key)
        self._address = (host, port)
        self._server: WSGIServer | None = None
        self._has_complained = False
        self._log = log.get_logger(port=port)

    def listen(self) -> None:
        """Listen, unless another process has the port; call it repeatedly. An unusable address is logged once."""
        if self._server is not None:
            return
        server = WSGIServer(self._address, self._app, log=None, error_log=None)
        try:
            server.start()
        except OSError as error:
            if error.errno != errno.EADDRINUSE and not self._has_complained:
                self._has_complained = True
                self._log.warning("whatsapp.worker.metrics_not_served", reason=error.strerror)
            return
        self._server = server
        self._log.info("whatsapp.worker.metrics_served")

    def stop(self) -> None:
        """Free the port."""
        if self._server is not None:
            self._server.stop(timeout=1)
            self._server = None
