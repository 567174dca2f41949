"""`script`: check a script file, see what it would answer, or take the packaged one as a start."""

from __future__ import annotations

import argparse
from pathlib import Path

from wa_service.cli.command import Commands, Load, add_command
from wa_service.cli.opened import CommandError
from wa_service.cli.terminal import say


def add_to(commands: Commands) -> None:
    """Add `script`."""
    parser = add_command(commands, "script", "Check a script file, or print the packaged one.", _run)
    what = parser.add_subparsers(dest="what", metavar="check|example", required=True)
    what.add_parser("check", help="say what is wrong, with its line").add_argument("file", type=Path)
    what.add_parser("example", help="print the packaged script, to start from")


def _run(options: argparse.Namespace, _: Load) -> int:
    from wa_service.conversation.script import HOTEL_DESK, ScriptError, load_script

    if options.what == "example":
        say(HOTEL_DESK.read_text(encoding="utf-8").rstrip("\n"))
        return 0
    try:
        script = load_script(options.file)
    except (ScriptError, OSError) as error:
        raise CommandError(str(error)) from None
    examples = sum(len(intent.examples) for intent in script.intents)
    say(f"{options.file} is fine: {len(script.intents)} intents with {examples} examples.")
    return 0
