"""Gunicorn's configuration in the checkout: `gunicorn -c gunicorn.conf.py wsgi:app`.

It runs the package's own configuration instead of importing it, so that a reload reads the settings again.
"""

from __future__ import annotations

import runpy
from pathlib import Path

globals().update(runpy.run_path(str(Path(__file__).with_name("wa_service") / "gunicorn_conf.py")))
