"""`resume`: end a number's pause by hand, once what paused it is mended."""

from __future__ import annotations

import argparse

from wa_service.cli.command import Commands, Load, add_command
from wa_service.cli.context import CommandError, opened
from wa_service.cli.terminal import say


def add_to(commands: Commands) -> None:
    """Add `resume`."""
    sentence = "End a number's pause at once (a new token, a paid bill); by itself it tries again within 5 minutes."
    parser = add_command(commands, "resume", sentence, _run)
    parser.add_argument("number", nargs="?", help="phone number id; without it, every one")


def _run(options: argparse.Namespace, load: Load) -> int:
    with opened(load()) as runtime:
        if options.number is not None and options.number not in runtime.numbers:
            raise CommandError(f"{options.number} is not in WHATSAPP_PHONE_NUMBER_ID.")
        for number in [options.number] if options.number else runtime.numbers:
            was_paused = runtime.outbox.resume(number)
            say(f"{number} sends again." if was_paused else f"{number} was not paused.")
        return 0
