"""`resume`: end a number's pause by hand, once its cause is fixed."""

from __future__ import annotations

import click

from wa_service.cli.context import load_settings, open_runtime
from wa_service.cli.terminal import CommandError, say


@click.command
@click.argument("number", required=False)
def command(number: str | None) -> None:
    """End a number's pause at once.

    NUMBER is a phone number id; without it, all numbers are resumed.

    Use it after a new token or a paid bill; a paused number also tries again by itself: within 5 minutes, unless
    Meta asked for more.
    """
    with open_runtime(load_settings()) as runtime:
        if number is not None and number not in runtime.numbers:
            raise CommandError(f"{number} is not in WHATSAPP_PHONE_NUMBER_ID.")
        for each in [number] if number else runtime.numbers:
            was_paused = runtime.outbox.resume(each)
            say(f"{each} sends again." if was_paused else f"{each} was not paused.")
