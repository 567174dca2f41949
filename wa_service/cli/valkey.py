"""`valkey`: the embedded server, for laptops and tests."""

from __future__ import annotations

import argparse

from wa_service import embedded_valkey, settings
from wa_service.cli.command import Commands, Load, add_command
from wa_service.cli.terminal import say


def add_to(commands: Commands) -> None:
    """Add `valkey`."""
    add_command(commands, "valkey", "Run the embedded Valkey; the others find it by <WA_VAR_DIR>/valkey.url.", _run)


def _run(_: argparse.Namespace, __: Load) -> int:
    return embedded_valkey.run(settings.load_var_dir(), say)
