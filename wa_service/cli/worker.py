"""`worker`: take work from the lanes until a signal ends it."""

from __future__ import annotations

import argparse

from wa_service.cli.command import Commands, Load, add_command


def add_to(commands: Commands) -> None:
    """Add `worker`."""
    add_command(commands, "worker", "Answer customers and send what waits; run as many as you like.", _run)


def _run(_: argparse.Namespace, load: Load) -> int:
    settings = load()
    from wa_service import worker

    return worker.main(settings)
