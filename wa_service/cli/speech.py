"""`speech`: serve speech to text and sentence meaning by HTTP, in a process that knows nothing else of ours."""

from __future__ import annotations

import os
import sys
from collections.abc import Sequence

import click

from wa_service.speech.local_server import ENVIRONMENT


@click.command(add_help_option=False, context_settings={"ignore_unknown_options": True})
@click.argument("options", nargs=-1, type=click.UNPROCESSED)
def command(options: Sequence[str]) -> None:
    """Serve speech to text and sentence meaning (OpenAI's shapes)."""
    # Another program in this process's place: without gevent's patches, and without our secrets. `--help` is its own.
    os.execve(sys.executable, [sys.executable, "-m", "wa_service.speech", *options], ENVIRONMENT)  # noqa: S606
