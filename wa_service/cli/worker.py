"""`worker`: handle mailboxes and send lanes until a signal ends it."""

from __future__ import annotations

import os
from functools import partial

import click

from wa_service.cli.context import load_settings
from wa_service.cli.terminal import complain
from wa_service.memory_guard import protect_memory
from wa_service.worker.supervisor import supervise


@click.command
@click.option("--consumer", hidden=True)
@click.option("--predecessor", hidden=True)
@click.option("--predecessor-ledger-fd", type=int, hidden=True)
@click.option("--ledger-fd", type=int, hidden=True)
@click.option("--parent", type=int, hidden=True)
@click.option("--ready-fd", type=int, hidden=True)
def command(
    consumer: str | None,
    predecessor: str | None,
    predecessor_ledger_fd: int | None,
    ledger_fd: int | None,
    parent: int | None,
    ready_fd: int | None,
) -> int:
    """Handle received events and send waiting messages.

    Any number of workers may run.
    """
    # The supervisor starts the working process with the hidden options.
    protect_memory()
    settings = load_settings()
    if consumer is None:
        return supervise()

    # Imported late, so that the supervisor stays small.
    from wa_service.conversation.llm_responder import PromptError
    from wa_service.conversation.script_yaml import ScriptError
    from wa_service.observability.sentry import configure
    from wa_service.startup import StartRefusedError, check_store
    from wa_service.store.tag_numbers import TagTakenError
    from wa_service.worker import process

    configure(settings.sentry_dsn)
    try:
        check_store(settings, warn=False)
        process.run(
            settings,
            consumer,
            predecessor=predecessor,
            predecessor_ledger=predecessor_ledger_fd,
            ledger=ledger_fd,
            parent=parent,
            on_started=partial(_report_ready, ready_fd),
        )
    except (PromptError, ScriptError, StartRefusedError, TagTakenError) as error:
        complain(str(error))
        return 1
    return 0


def _report_ready(pipe: int | None) -> None:
    """Tell the supervisor that this process is ready to work."""
    if pipe is not None:
        os.write(pipe, b"1")
        os.close(pipe)
