"""The series of a worker on a machine of its own, on `WA_WORKER_METRICS_PORT`."""

from __future__ import annotations

import gevent
from gevent.pywsgi import WSGIServer

from wa_service import log, metrics, runtime
from wa_service.settings import Settings
from wa_service.web.health import snapshot

_TRY_AGAIN = 2.0


def serve_metrics(settings: Settings) -> None:
    """Serve them for as long as this process lives.

    One worker of a machine answers for all of them, since they share their counts; when it ends, for a successor or
    for good, another one takes the port.
    """
    built = runtime.build(settings)
    key = settings.metrics_key.get_secret_value() if settings.metrics_key else None
    app = metrics.guarded_app(metrics.scrape_registry(lambda: snapshot(built.observer)), key)
    gevent.spawn(_keep_serving, settings.worker_metrics_port, app)


def _keep_serving(port: int, app: object) -> None:
    while True:
        server = WSGIServer(("", port), app, log=None, error_log=None)
        try:
            server.start()
        except OSError:
            gevent.sleep(_TRY_AGAIN)
        else:
            log.get_logger().info("whatsapp.worker", outcome="serves_metrics", port=port)
            return
