"""`valkey`: the embedded server, for laptops and tests."""

from __future__ import annotations

import argparse

from wa_service.cli.command import Commands, Load, add_command
from wa_service.cli.terminal import say
from wa_service.config import settings
from wa_service.store import embedded_valkey


def add_to(commands: Commands) -> None:
    """Add `valkey`."""
    add_command(commands, "valkey", "Run the embedded Valkey; the others find its socket in <WA_VAR_DIR>/valkey.", _run)


def _run(_: argparse.Namespace, __: Load) -> int:
    return embedded_valkey.run(settings.load_var_dir(), say)
