"""`templates`: list the business account's message templates."""

from __future__ import annotations

import click

from wa_service.cli.context import load_settings, open_runtime
from wa_service.cli.terminal import CommandError, say, table

_COLUMNS = ("name", "language", "category", "status")


@click.command
def command() -> None:
    """List the message templates and their status at Meta."""
    settings = load_settings()
    if settings.business_account_id is None:
        raise CommandError("Templates belong to the business account: set WHATSAPP_BUSINESS_ACCOUNT_ID.")
    with open_runtime(settings) as runtime:
        client = runtime.clients[settings.phone_number_ids[0]]
        rows = [tuple(str(item.get(column, "")) for column in _COLUMNS) for item in client.list_templates()]
    say(table([_COLUMNS, *sorted(rows)]) if rows else "The business account has no templates.")
