"""`speech`: serve speech to text and sentence embeddings over HTTP, in an isolated process."""

from __future__ import annotations

import os
import sys
from collections.abc import Sequence

import click

from wa_service.speech.local_server import ENVIRONMENT


@click.command(add_help_option=False, context_settings={"ignore_unknown_options": True})
@click.argument("options", nargs=-1, type=click.UNPROCESSED)
def command(options: Sequence[str]) -> None:
    """Serve speech to text and sentence embeddings (OpenAI's API)."""
    # Replaces this process, without gevent's patches and without our secrets. That program handles `--help`, too.
    os.execve(sys.executable, [sys.executable, "-m", "wa_service.speech", *options], ENVIRONMENT)  # noqa: S606
