"""`worker`: take work from the lanes until a signal ends it."""

from __future__ import annotations

import argparse

from wa_service.cli.command import Commands, Load, add_command


def add_to(commands: Commands) -> None:
    """Add `worker`. Its options are for the process that it starts itself."""
    sentence = "Answer customers and send what waits; run as many as you like."
    parser = add_command(commands, "worker", sentence, _run)
    for option in ("--puller", "--parent", "--succeeds"):
        parser.add_argument(option, help=argparse.SUPPRESS)


def _run(options: argparse.Namespace, load: Load) -> int:
    settings = load()
    if options.puller is None:
        from wa_service.worker.supervisor import supervise

        return supervise()
    from wa_service.worker.process import run

    run(settings, options.puller, succeeds=options.succeeds, parent=int(options.parent) if options.parent else None)
    return 0
