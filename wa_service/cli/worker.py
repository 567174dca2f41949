"""`worker`: take work from the lanes until a signal ends it."""

from __future__ import annotations

import argparse
import os
from functools import partial

from wa_service.cli.command import Commands, Load, add_command
from wa_service.cli.terminal import complain
from wa_service.startup import StartRefusedError, check_store


def add_to(commands: Commands) -> None:
    """Add `worker`. The hidden options are those with which its supervisor starts the process that works."""
    parser = add_command(commands, "worker", "Answer customers and send what waits; run as many as you like.", _run)
    parser.add_argument("--consumer", help=argparse.SUPPRESS)
    parser.add_argument("--predecessor", help=argparse.SUPPRESS)
    parser.add_argument("--parent", type=int, help=argparse.SUPPRESS)
    parser.add_argument("--ready-fd", type=int, help=argparse.SUPPRESS)


def _run(options: argparse.Namespace, load: Load) -> int:
    settings = load()
    if options.consumer is None:
        # Only this: the supervisor stays small.
        from wa_service.worker.supervisor import supervise

        return supervise()

    from wa_service.conversation.script import ScriptError
    from wa_service.observability.sentry import configure
    from wa_service.worker import process

    configure(settings)
    try:
        check_store(settings, warn=False)
        process.run(
            settings,
            options.consumer,
            predecessor=options.predecessor,
            parent=options.parent,
            on_started=partial(_report_ready, options.ready_fd),
        )
    except (ScriptError, StartRefusedError) as error:
        complain(str(error))
        return 1
    return 0


def _report_ready(pipe: int | None) -> None:
    """Tell the supervisor that this process takes work."""
    if pipe is not None:
        os.write(pipe, b"1")
        os.close(pipe)
