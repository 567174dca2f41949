"""`forget`: erase one person."""

from __future__ import annotations

import click

from wa_service.cli.context import load_settings, open_runtime
from wa_service.cli.terminal import CommandError, counting, say
from wa_service.store.contacts import UnknownAddressError


@click.command
@click.argument("address")
def command(address: str) -> None:
    """Erase a person: messages, records, addresses, dead letters.

    ADDRESS is a telephone number (digits with country code) or Meta's id of the person.
    """
    with open_runtime(load_settings()) as runtime, counting("keys and entries scanned") as progress:
        try:
            erased = runtime.contacts.forget(address, progress=progress)
        except UnknownAddressError as error:
            raise CommandError(str(error)) from None
    say(f"{erased} entries were erased." if erased else "Nothing is stored about this person.")
