"""`forget`: erase one person everywhere."""

from __future__ import annotations

import argparse

from wa_service.cli.command import Commands, Load, add_command
from wa_service.cli.context import CommandError, opened
from wa_service.cli.terminal import counting, say


def add_to(commands: Commands) -> None:
    """Add `forget`."""
    parser = add_command(commands, "forget", "Erase a person: messages, records, addresses, dead letters.", _run)
    parser.add_argument("address", help="telephone number (digits with country code) or Meta's id of the person")


def _run(options: argparse.Namespace, load: Load) -> int:
    from wa_service.store.contacts import NobodysAddressError

    with opened(load()) as runtime, counting("keys and entries looked at") as walked:
        try:
            erased = runtime.contacts.forget(options.address, progress=walked)
        except NobodysAddressError as error:
            raise CommandError(str(error)) from None
    say(f"{erased} entries were erased." if erased else "Nothing was known of this person.")
    return 0
