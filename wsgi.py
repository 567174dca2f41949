"""The web application in the checkout: `gunicorn -c gunicorn.conf.py wsgi:app`."""

from __future__ import annotations

from wa_service.wsgi import app

__all__ = ["app"]
