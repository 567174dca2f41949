"""The web application for gunicorn: `wa_service.wsgi:app`."""

from __future__ import annotations

import atexit
import gc
import sys

from flask import Flask

from wa_service.config import settings
from wa_service.observability import log, multiprocess


def build() -> Flask:
    """Return the application; end the process where the settings cannot be used."""
    try:
        given = settings.load()
    except settings.SettingsError as error:
        sys.exit(str(error))
    log.configure(given.log_format, given.log_numbers, level=given.log_level)
    multiprocess.share(given.metrics_dir)
    # Not before: a series takes its place among the shared ones when it is made.
    from wa_service import runtime
    from wa_service.config.web_options import WebOptions
    from wa_service.observability.sentry import configure
    from wa_service.web.app import create_app

    configure(given)
    built = runtime.build(given)
    app = create_app(built, WebOptions.of(given))
    # What was counted since the last write must not end with the process; the last registered runs first.
    atexit.register(built.close)
    atexit.register(app.extensions["metrics_buffer"].write)
    # The collector skips what lives as long as the process: some 15 µs a webhook.
    gc.collect()
    gc.freeze()
    return app


app = build()
