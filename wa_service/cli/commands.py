"""The command line: `python -m wa_service <command>`."""

from __future__ import annotations

from collections.abc import Sequence
from importlib import import_module
from typing import Any

import click

from wa_service.cli.terminal import CommandError, complain
from wa_service.config.settings import SettingsError
from wa_service.store.embedded_valkey import EmbeddedValkeyError

# Name → module of this package with `command`.
COMMANDS = {
    "web": "web",
    "worker": "worker",
    "emulator": "emulator",
    "valkey": "valkey",
    "send": "send",
    "batch": "batch",
    "check": "check",
    "costs": "costs",
    "settings": "settings_table",
    "dead-letters": "dead_letters",
    "capture": "capture",
    "script": "script",
    "speech": "speech",
    "subscriptions": "subscriptions",
    "templates": "templates",
    "resume": "resume",
    "forget": "forget",
}


class _LazyGroup(click.Group):
    """Imports a command's module on demand, so that a worker's supervisor stays small."""

    def list_commands(self, ctx: click.Context) -> list[str]:  # noqa: ARG002 - click's signature
        return list(COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:  # noqa: ARG002 - click's signature
        if cmd_name not in COMMANDS:
            return None
        command: click.Command = import_module(f"wa_service.cli.{COMMANDS[cmd_name]}").command
        return command


_HELP: dict[str, Any] = {"help_option_names": ["-h", "--help"], "max_content_width": 120}
_commands = _LazyGroup(help="WhatsApp Business Cloud API service.", context_settings=_HELP)


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command.

    Returns:
        The exit status: 0 success, 1 failure, 2 invalid arguments or settings.
    """
    try:
        return int(_commands.main(arguments, standalone_mode=False) or 0)
    except click.ClickException as error:
        error.show()
        return error.exit_code
    except SettingsError as error:
        for problem in error.problems:
            complain(problem)
        return 2
    except (CommandError, EmbeddedValkeyError) as error:
        complain(str(error))
        return 1
    except (click.Abort, KeyboardInterrupt):
        return 130
