"""The options of `speech`, refused before anything starts."""

from __future__ import annotations

import pytest
from click.testing import CliRunner

from wa_service.speech.server import main


@pytest.mark.parametrize(
    ("option", "value"),
    [("--processes", "0"), ("--timeout", "0"), ("--timeout", "inf"), ("--niceness", "20"), ("--only", "speaking")],
)
def test_an_option_that_cannot_work_is_refused_by_name(option: str, value: str) -> None:
    told = CliRunner().invoke(main, [option, value])

    assert (told.exit_code, told.stdout) == (2, "")
    assert f"Invalid value for '{option}'" in told.stderr
