"""`speech`: serve speech to text and sentence meaning by HTTP, in a process that knows nothing else of ours."""

from __future__ import annotations

import argparse
import os
import sys

from wa_service.cli.command import Commands, Load, add_command
from wa_service.speech.local_server import ENVIRONMENT


def add_to(commands: Commands) -> None:
    """Add `speech`; its options are the speech process's own (`--help` prints them)."""
    parser = add_command(commands, "speech", "Serve speech to text and sentence meaning (OpenAI's shapes).", _run)
    parser.add_argument("options", nargs=argparse.REMAINDER, help="as of `speech -- --help`")


def _run(options: argparse.Namespace, _: Load) -> int:
    arguments = [argument for argument in options.options if argument != "--"]
    # Another program in this process's place: without gevent's patches, and without our secrets.
    os.execve(sys.executable, [sys.executable, "-m", "wa_service.speech", *arguments], ENVIRONMENT)  # noqa: S606
