"""The web application, for gunicorn: `gunicorn -c gunicorn.conf.py wsgi:app`."""

from __future__ import annotations

import gc
import sys

from flask import Flask

from wa_service.config import settings
from wa_service.observability import log


def _app() -> Flask:
    try:
        given = settings.load()
    except settings.SettingsError as error:
        sys.exit(str(error))
    log.configure(given.log_format, given.log_numbers, level=given.log_level)
    settings.share_metrics_directory(given)
    # Not before: prometheus_client looks for its directory while it is imported.
    from wa_service.observability.multiprocess import fold
    from wa_service.observability.sentry import configure
    from wa_service.web.app import create_app

    configure(given)
    fold(given.metrics_dir)
    built = create_app(given)
    # What lives as long as the process is not looked through at each collection: some 15 µs a webhook.
    gc.collect()
    gc.freeze()
    return built


app = _app()
