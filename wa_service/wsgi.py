"""The web application for gunicorn: `wa_service.wsgi:app`."""

from __future__ import annotations

import atexit
import gc
import sys

from flask import Flask

from wa_service.config import settings
from wa_service.observability import log, multiprocess


def build() -> Flask:
    """Return the application; exit if the settings are invalid."""
    try:
        given = settings.load()
    except settings.SettingsError as error:
        sys.exit(str(error))
    log.configure(given.log_format, given.log_numbers, level=given.log_level)
    multiprocess.share(given.metrics_dir)
    # Imported late: a metric series takes its slot in the shared files when it is created.
    from wa_service import runtime
    from wa_service.config.web_options import WebOptions
    from wa_service.observability.sentry import configure
    from wa_service.web.app import create_app

    configure(given.sentry_dsn)
    built = runtime.build(given)
    app = create_app(built, WebOptions.of(given))
    # Write what was counted since the last write. The handler registered last runs first.
    atexit.register(built.close)
    atexit.register(app.extensions["metrics_buffer"].write)
    # Exclude long-lived objects from garbage collection, which saves some 15 µs a webhook.
    gc.collect()
    gc.freeze()
    return app


app = build()
