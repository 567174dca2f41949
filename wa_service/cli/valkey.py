"""`valkey`: the embedded server, for laptops and tests."""

from __future__ import annotations

import click

from wa_service.cli.terminal import say
from wa_service.config import settings
from wa_service.store import embedded_valkey


@click.command
def command() -> int:
    """Run the embedded Valkey.

    The other processes find its socket in <WA_VAR_DIR>/valkey.
    """
    return embedded_valkey.run(settings.load_var_dir(), say)
