"""`script`: check a script file, try it with typed lines, or take the packaged one as a start."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from wa_service.cli.command import Commands, Load, add_command
from wa_service.cli.context import CommandError
from wa_service.cli.terminal import say


def add_to(commands: Commands) -> None:
    """Add `script`."""
    parser = add_command(commands, "script", "Check a script file and try it, or print the packaged one.", _run)
    what = parser.add_subparsers(dest="what", metavar="check|example", required=True)
    check = what.add_parser("check", help="say what is wrong with its line, what is confused, and answer typed lines")
    check.add_argument("file", type=Path)
    check.add_argument("--intents", choices=["fuzzy", "semantic"], default="fuzzy", help="how texts are compared")
    check.add_argument("--lines", action="store_true", help="answer lines from a pipe, too")
    what.add_parser("example", help="print the packaged script, to start from")


def _run(options: argparse.Namespace, _: Load) -> int:
    from wa_service.conversation.script import HOTEL_DESK, ScriptError
    from wa_service.conversation.script_check import ScriptCheck

    if options.what == "example":
        say(HOTEL_DESK.read_text(encoding="utf-8").rstrip("\n"))
        return 0
    try:
        with ScriptCheck(options.file, options.intents) as script_check:
            for line in script_check.report().lines():
                say(line)
            if sys.stdin.isatty():
                say("Write what a customer would write; Ctrl-D ends.")
            if sys.stdin.isatty() or options.lines:
                for line in sys.stdin:
                    say(script_check.answer_line(line.rstrip("\n")))
    except (ScriptError, OSError) as error:
        raise CommandError(str(error)) from None
    return 0
