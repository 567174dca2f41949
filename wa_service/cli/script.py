"""`script`: check a script file, try it with typed lines, or print the packaged one as a starting point."""

from __future__ import annotations

import json
import sys
from io import TextIOWrapper
from pathlib import Path
from typing import TYPE_CHECKING, cast

import click

from wa_service.cli.terminal import CommandError, say
from wa_service.config.settings import load_intents
from wa_service.conversation.script import HOTEL_DESK
from wa_service.conversation.script_check import ScriptCheck
from wa_service.conversation.script_yaml import ScriptError

if TYPE_CHECKING:
    from wa_service.conversation.assembly import Intents


@click.group
def command() -> None:
    """Check a script file and try it, or print the packaged one."""


@command.command()
@click.argument("file", type=click.Path(path_type=Path))
@click.option(
    "--intents",
    type=click.Choice(["fuzzy", "semantic"]),
    default=None,
    show_default="WA_INTENTS",
    help="How texts are compared.",
)
@click.option("--lines", is_flag=True, help="Also answer lines from a pipe.")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object, including the answers to lines.")
def check(file: Path, intents: Intents | None, lines: bool, as_json: bool) -> None:
    """Report errors with their lines and intents that are easily confused, and answer typed lines."""
    if isinstance(sys.stdin, TextIOWrapper):
        sys.stdin.reconfigure(errors="replace")  # a line in another encoding
    try:
        with ScriptCheck(file, intents or cast("Intents", load_intents())) as script:
            if as_json:
                typed = [line.rstrip("\n") for line in sys.stdin] if lines else []
                say(json.dumps(script.as_json(typed), ensure_ascii=False, indent=2))
                return
            for line in script.report().lines():
                say(line)
            if sys.stdin.isatty():
                say("Type what a customer would write; Ctrl-D ends.")
            if sys.stdin.isatty() or lines:
                for line in sys.stdin:
                    say(script.answer_line(line.rstrip("\n")))
    except (ScriptError, OSError) as error:
        raise CommandError(str(error)) from None


@command.command()
def example() -> None:
    """Print the packaged script, to start from."""
    say(HOTEL_DESK.read_text(encoding="utf-8").rstrip("\n"))
