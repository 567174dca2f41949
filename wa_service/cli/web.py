"""`web`: run gunicorn with the package's configuration."""

from __future__ import annotations

import os
import sys
from pathlib import Path

import click

from wa_service.config.settings import whole_environment

_CONFIGURATION = Path(__file__).parents[1] / "gunicorn_conf.py"


@click.command
def command() -> None:
    """Run the web processes."""
    arguments = [sys.executable, "-m", "gunicorn", "-c", str(_CONFIGURATION)]
    # Replaces this process: gunicorn's master must not run under gevent's patch.
    os.execve(sys.executable, arguments, whole_environment())  # noqa: S606
