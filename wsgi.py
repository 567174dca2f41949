"""The web application, for gunicorn: `gunicorn -c gunicorn.conf.py wsgi:app`."""

from __future__ import annotations

import gc
import sys

from flask import Flask

from wa_service.config import settings
from wa_service.observability import log, multiprocess


def _app() -> Flask:
    try:
        given = settings.load()
    except settings.SettingsError as error:
        sys.exit(str(error))
    log.configure(given.log_format, given.log_numbers, level=given.log_level)
    multiprocess.share(given.metrics_dir)
    # Not before: a series takes its place among the shared ones when it is made.
    from wa_service.observability.sentry import configure
    from wa_service.web.app import create_app

    configure(given)
    built = create_app(given)
    # What lives as long as the process is not looked through at each collection: some 15 µs a webhook.
    gc.collect()
    gc.freeze()
    return built


app = _app()
