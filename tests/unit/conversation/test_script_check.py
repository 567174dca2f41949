"""`script check`: what it reports to a script's author."""

from __future__ import annotations

from pathlib import Path

import pytest

from wa_service.conversation.script import HOTEL_DESK
from wa_service.conversation.script_check import ScriptCheck, check_script
from wa_service.conversation.script_yaml import ScriptError

ALIKE = """\
intents:
  - name: room
    examples: ["book something blue tomorrow", "a bed for me"]
    reply: [{text: "Room."}]
  - name: table
    examples: ["tomorrow, book something blue!", "somewhere to eat"]
    reply: [{text: "Table for {{ name }}."}]
  - name: lonely
    examples: ["quite alone"]
    reply: [{text: "Lonely."}]
fallback: {reply: [{text: "You said: {{ text }}"}]}
"""


@pytest.fixture
def script(tmp_path: Path) -> Path:
    path = tmp_path / "script.yaml"
    path.write_text(ALIKE)
    return path


def test_intents_that_are_confused_are_shown_with_the_example(script: Path) -> None:
    confused = {(c.intent, c.taken_for) for c in check_script(script).confusions if c.taken_for}

    assert confused == {("room", "table"), ("table", "room")}


def test_an_example_that_the_others_do_not_lead_to_is_shown(script: Path) -> None:
    far = {c.example for c in check_script(script).confusions if c.taken_for is None}

    assert far == {"a bed for me", "somewhere to eat"}


def test_an_intent_with_a_single_example_is_named(script: Path) -> None:
    assert check_script(script).single == ("lonely",)


def test_the_report_reads_well(script: Path) -> None:
    lines = list(check_script(script).lines())

    assert lines[0] == f"{script}: 3 intents, 5 examples. The script can be used."
    assert any(line.startswith("  room → table") for line in lines)


def test_the_packaged_hotel_desk_confuses_no_two_intents() -> None:
    assert [c for c in check_script(HOTEL_DESK).confusions if c.taken_for] == []


def test_the_example_scripts_can_be_used() -> None:
    scripts = Path(__file__).parents[3] / "examples" / "scripts"

    assert [check_script(path).confusions for path in scripts.glob("*.yaml")]


def test_a_typed_line_is_answered(script: Path) -> None:
    with ScriptCheck(script) as check:
        assert check.answer_line("somewhere to eat please").splitlines()[1] == "  Table for Ana."


def test_a_line_that_is_not_understood_shows_the_fallback(script: Path) -> None:
    with ScriptCheck(script) as check:
        assert check.answer_line("zzz") == "[fallback 0.00]\n  You said: zzz"


def test_a_broken_script_is_an_error_with_its_line(tmp_path: Path) -> None:
    path = tmp_path / "broken.yaml"
    path.write_text("fallback: {reply: []}\n")

    with pytest.raises(ScriptError, match="line 1"):
        check_script(path)
