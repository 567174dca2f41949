"""`dead-letters`: what could not be handled; look at it, try it again, throw it away."""

from __future__ import annotations

import argparse
from datetime import UTC, datetime

from wa_service.cli.command import Commands, Load, add_command
from wa_service.cli.opened import CommandError, opened
from wa_service.cli.terminal import say, table
from wa_service.log import clean


def add_to(commands: Commands) -> None:
    """Add `dead-letters`."""
    parser = add_command(commands, "dead-letters", "List what could not be handled, replay it, drop it.", _run)
    what = parser.add_subparsers(dest="what", metavar="list|replay|drop")
    what.add_parser("list", help="oldest first (the default)")
    for name, sentence in (("replay", "handle it again"), ("drop", "throw it away")):
        one = what.add_parser(name, help=sentence)
        one.add_argument("id", nargs="*", help="as `list` shows it")
        one.add_argument("--all", action="store_true", help="every one")


def _run(options: argparse.Namespace, load: Load) -> int:
    with opened(load()) as runtime:
        letters = runtime.dead_letters
        if options.what in {None, "list"}:
            rows = [("id", "when", "kind", "tries", "reason")]
            for letter in filter(None, map(letters.get, letters.ids())):
                when = datetime.fromtimestamp(letter.time / 1000, UTC).isoformat(" ", "seconds")
                rows.append((letter.id, when, letter.kind, str(letter.tries), clean(letter.reason)))
            say(table(rows) if len(rows) > 1 else "There are no dead letters.")
            return 0
        if not options.id and not options.all:
            raise CommandError("Say which: ids as `dead-letters list` shows them, or --all.")
        act = letters.replay if options.what == "replay" else letters.drop
        asked = letters.ids() if options.all else options.id
        left = [letter_id for letter_id in asked if not act(letter_id)]
        done = "handled again" if options.what == "replay" else "dropped"
        say(f"{len(asked) - len(left)} of {len(asked)} dead letters will be {done}.")
        for letter_id in left:
            say(f"{letter_id} is not there, or belongs to no conversation.")
        return 1 if left else 0
