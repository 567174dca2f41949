"""`templates`: those of the business account, and whether they may be sent."""

from __future__ import annotations

import argparse

from wa_service.cli.command import Commands, Load, add_command
from wa_service.cli.context import CommandError, opened
from wa_service.cli.terminal import say, table

_COLUMNS = ("name", "language", "category", "status")


def add_to(commands: Commands) -> None:
    """Add `templates`."""
    add_command(commands, "templates", "List the message templates and their status at Meta.", _run)


def _run(_: argparse.Namespace, load: Load) -> int:
    settings = load()
    if settings.business_account_id is None:
        raise CommandError("Templates belong to the business account: set WHATSAPP_BUSINESS_ACCOUNT_ID.")
    with opened(settings) as runtime:
        client = runtime.clients[settings.phone_number_ids[0]]
        rows = [tuple(str(item.get(column, "")) for column in _COLUMNS) for item in client.list_templates()]
    say(table([_COLUMNS, *sorted(rows)]) if rows else "The business account has no templates.")
    return 0
