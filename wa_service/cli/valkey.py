"""`valkey`: the embedded server, for laptops and tests."""

from __future__ import annotations

import click

from wa_service.cli.terminal import say
from wa_service.config import settings
from wa_service.store import embedded_valkey
from wa_service.store.embedded_replicas import embedded_replicas_in, run_replicated


@click.command
@click.option("--replicas", type=click.IntRange(0, 5), default=0, help="Number of replicas, under three Sentinels.")
def command(replicas: int) -> int:
    """Run the embedded Valkey.

    The other processes find its socket in <WA_VAR_DIR>/valkey; with replicas the servers listen on 127.0.0.1, and the
    other processes need REDIS_URL.
    """
    directory = settings.load_var_dir()
    if replicas:
        return run_replicated(embedded_replicas_in(directory, replicas), say)
    return embedded_valkey.run(directory, say)
