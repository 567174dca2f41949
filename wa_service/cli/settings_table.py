"""`settings`: print every variable with its value and meaning, secrets masked."""

from __future__ import annotations

import click

from wa_service.cli.findings import of_prompt, of_script
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
    if given is not None:
        files = [of_script(given)] if given.responder != "none" else []
        files += [of_prompt(given.llm_prompt_file)] if given.responder == "llm" else []
        problems = [file.what for file in files if file.level == "wrong"]
    for problem in [*problems, *settings.unknown_variables()]:
        complain(problem)
    return 2 if problems else 0


def _row(variable: settings.Variable, given: Settings | None) -> tuple[str, str, str]:
    default = "required" if variable.default is None else f"({variable.default})" if variable.default else "-"
    if given is None or variable.attribute not in given.model_fields_set:
        return variable.name, default, variable.sentence
    return variable.name, settings.as_text(getattr(given, variable.attribute)), variable.sentence
