"""`settings`: print every variable with its value and meaning, secrets masked."""

from __future__ import annotations

import click

from wa_service.cli.findings import of_script
from wa_service.cli.terminal import complain, say, table
from wa_service.config import settings
from wa_service.config.settings import Settings, SettingsError


@click.command
@click.option("--quiet", is_flag=True, help="Only report problems, by text and exit status.")
def command(quiet: bool) -> int:
    """Print every setting, its value and its meaning."""
    problems: list[str] = []
    given: Settings | None = None
    try:
        given = settings.load()
    except SettingsError as error:
        problems = error.problems
    if not quiet:
        say(table(_row(variable, given) for variable in settings.variables()))
    if given is not None and given.responder != "none":
        script = of_script(given)
        problems = [script.what] if script.level == "wrong" else []
    for problem in [*problems, *settings.unknown_variables()]:
        complain(problem)
    return 2 if problems else 0


def _row(variable: settings.Variable, given: Settings | None) -> tuple[str, str, str]:
    default = "required" if variable.default is None else f"({variable.default})" if variable.default else "-"
    if given is None or variable.attribute not in given.model_fields_set:
        return variable.name, default, variable.sentence
    return variable.name, settings.as_text(getattr(given, variable.attribute)), variable.sentence
