"""The command line: `python -m wa_service <command>`.

Each command imports its room when it runs, not before: `settings` and `valkey` must answer where Meta's
credentials are missing, and prometheus_client looks for its directory while it is imported.
"""

from __future__ import annotations

import argparse
from collections.abc import Sequence

from wa_service.cli import (
    check,
    dead_letters,
    emulator,
    forget,
    resume,
    script,
    send,
    settings_table,
    speech,
    templates,
    valkey,
    worker,
)
from wa_service.cli.context import CommandError
from wa_service.cli.terminal import complain
from wa_service.config import settings
from wa_service.config.settings import Settings, SettingsError
from wa_service.observability import log, multiprocess
from wa_service.store.embedded_valkey import EmbeddedValkeyError

_COMMANDS = (
    worker,
    emulator,
    valkey,
    send,
    check,
    settings_table,
    dead_letters,
    script,
    speech,
    templates,
    resume,
    forget,
)


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command.

    Returns:
        The exit status: 0 done, 1 not done, 2 asked wrongly (arguments or settings).
    """
    options = _parser().parse_args(arguments)
    try:
        return int(options.run(options, _load))
    except SettingsError as error:
        for problem in error.problems:
            complain(problem)
        return 2
    except (CommandError, EmbeddedValkeyError) as error:
        complain(str(error))
        return 1
    except KeyboardInterrupt:
        return 130


def _load() -> Settings:
    """Read the settings and make the process ready to log and count."""
    given = settings.load()
    log.configure(given.log_format, given.log_numbers, level=given.log_level)
    multiprocess.share(given.metrics_dir)
    return given


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m wa_service", description="WhatsApp Business Cloud API service")
    commands = parser.add_subparsers(title="commands", metavar="<command>", required=True)
    for command in _COMMANDS:
        command.add_to(commands)
    return parser
