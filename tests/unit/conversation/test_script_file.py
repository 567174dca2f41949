"""The script file: what is valid, and how errors are located."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from wa_service.conversation.script import HOTEL_DESK, ConversationProblem, Script, load_script
from wa_service.conversation.script_yaml import ScriptError

Write = Callable[[str], Path]

DESIGNS_FORM = """\
intents:
  - name: breakfast
    examples: ["what time is breakfast", "when do you serve breakfast"]
    reply:
      - text: "Breakfast is from 7 to 10:30, {{ name }}."
fallback:
  reply:
    - text: "You said: {{ text }}"
"""


@pytest.fixture
def write(tmp_path: Path) -> Write:
    def write(text: str) -> Path:
        path = tmp_path / "script.yaml"
        path.write_text(text, encoding="utf-8")
        return path

    return write


def broken(path: Path) -> ScriptError:
    with pytest.raises(ScriptError) as caught:
        load_script(path)
    return caught.value


def test_the_form_of_the_design_is_a_script(write: Write) -> None:
    script = load_script(write(DESIGNS_FORM))

    breakfast = script.intent("breakfast")
    assert breakfast is not None
    assert breakfast.examples == ("what time is breakfast", "when do you serve breakfast")


def test_the_packaged_hotel_desk_is_a_script_with_the_designs_breakfast() -> None:
    breakfast = load_script(HOTEL_DESK).intent("breakfast")

    assert breakfast is not None
    assert {"what time is breakfast", "when do you serve breakfast"} <= set(breakfast.examples)


def test_the_packaged_hotel_desk_shows_every_kind_of_message() -> None:
    kinds = {kind for intent in load_script(HOTEL_DESK).intents for kind in intent.on}

    wanted = {"image", "video", "document", "sticker", "location", "contacts", "order", "flow", "unsupported"}
    assert wanted <= kinds


def test_every_problem_has_a_packaged_reply(write: Write) -> None:
    script = load_script(write(DESIGNS_FORM))

    assert set(script.problems) == set(ConversationProblem)


def test_a_script_replaces_the_words_for_one_problem_and_keeps_the_others(write: Write) -> None:
    plain = load_script(write(DESIGNS_FORM))
    script = load_script(write(DESIGNS_FORM + 'problems:\n  silence:\n    reply: [{text: "Hm?"}]\n'))

    assert script.problems[ConversationProblem.SILENCE] != plain.problems[ConversationProblem.SILENCE]
    assert said(script, ConversationProblem.UNCLEAR) == said(plain, ConversationProblem.UNCLEAR)


def said(script: Script, problem: ConversationProblem) -> list[dict[str, Any]]:
    return [reply.render({}) for reply in script.problems[problem].reply]


def test_the_bare_word_on_is_a_key(write: Write) -> None:
    script = load_script(write('intents:\n- name: x\n  on: image\n  reply: [{text: "y"}]\n' + FALLBACK))

    assert script.intents[0].on == ("image",)


FALLBACK = 'fallback: {reply: [{text: "?"}]}\n'

MISTAKES = {
    "an empty file": ("", 0, "it is empty"),
    "no mapping": (
        "- a\n",
        1,
        "this must be a mapping with clarify, fallback, intents, problems, started, stopped, threshold",
    ),
    "broken YAML": ("intents:\n  - name: [x\nfallback: 1\n", 3, "not valid YAML"),
    "no fallback": ("intents: []\n", 1, "'fallback' is missing"),
    "an unknown key": (FALLBACK + "intent: []\n", 2, "unknown key 'intent'"),
    "a misspelt key": (
        'intents:\n- name: a\n  exampels: ["b"]\n  reply: [{text: c}]\n' + FALLBACK,
        3,
        "unknown key 'exampels' (known: examples, ids, name, on, reply, title)",
    ),
    "a key twice": (FALLBACK + FALLBACK, 2, "'fallback' is a duplicate key"),
    "an alias": ("fallback: &a {reply: [{text: x}]}\nproblems: {silence: *a}\n", 2, "aliases"),
    "an intent nobody can reach": (
        "intents:\n- name: a\n  reply: [{text: c}]\n" + FALLBACK,
        2,
        "needs 'examples'",
    ),
    "a bare true": (
        "intents:\n- name: a\n  examples: [ok,\n    true]\n  reply: [{text: c}]\n" + FALLBACK,
        4,
        "'examples' holds texts: put quotes around true",
    ),
    "an unknown kind": (
        "intents:\n- name: a\n  on: [image, picture]\n  reply: [{text: c}]\n" + FALLBACK,
        3,
        "'on' knows no 'picture'",
    ),
    "a name twice": (
        "intents:\n- {name: a, ids: [x], reply: [{text: c}]}\n- {name: a, ids: [y], reply: [{text: c}]}\n" + FALLBACK,
        3,
        "name 'a' is already used by intent 'a'",
    ),
    "one button for two intents": (
        "intents:\n- {name: a, ids: [x], reply: [{text: c}]}\n- {name: b, ids: [x], reply: [{text: c}]}\n" + FALLBACK,
        3,
        "ids 'x' is already used by intent 'a'",
    ),
    "one title for two intents": (
        "intents:\n- {name: a, ids: [x], title: T, reply: [{text: c}]}\n"
        "- {name: b, ids: [y], title: T, reply: [{text: c}]}\n" + FALLBACK,
        3,
        "title 'T' is already used by intent 'a'",
    ),
    "no replies": ("fallback:\n  reply: []\n", 2, "'reply' must be a list of 1 to 10 messages"),
    "a reply that is a word": ("fallback:\n  reply:\n  - hello\n", 3, "a message is written"),
    "an empty text": ('fallback:\n  reply:\n  - text: " "\n', 3, "the text is empty"),
    "a reply with `to`": (
        'fallback:\n  reply:\n  - type: text\n    to: "1"\n    text: {body: x}\n',
        4,
        "'to' is filled in by the service",
    ),
    "a reply without type": ("fallback:\n  reply:\n  - picture: {id: x}\n", 3, "Give the message's type"),
    "an unknown variable": ('fallback:\n  reply:\n  - text: "{{ nmae }}"\n', 3, "unknown variable 'nmae'"),
    "a mistake in the second line of a block": (
        "fallback:\n  reply:\n  - text: |\n      hello\n      {{ name\n",
        5,
        "template: unexpected end of template",
    ),
    "an unknown problem": (
        FALLBACK + "problems:\n  mumbled: {reply: [{text: x}]}\n",
        3,
        "unknown key 'mumbled'",
    ),
    "a title that is too long for a button": (
        "intents:\n- {name: a, ids: [x], title: a title of many words, reply: [{text: c}]}\n" + FALLBACK,
        2,
        "'title' must be a text of 1 to 20 characters",
    ),
    "a question too long for buttons": (
        FALLBACK + f'clarify:\n  text: "{"x" * 1_025}"\n',
        3,
        "Meta would refuse this message: interactive.body.text: At most 1024 characters are allowed.",
    ),
    "a filter that does not exist, in a condition": (
        'fallback:\n  reply:\n    - text: "{% if name %}{{ name|uper }}{% endif %}"\n',
        3,
        "template: No filter named 'uper'.",
    ),
    "a test that does not exist": (
        "fallback:\n  reply:\n    - text: \"{{ 'a' if text is foo else 'b' }}\"\n",
        3,
        "template: No test named 'foo'.",
    ),
    "a mistake in what is asked": (FALLBACK + 'clarify:\n  text: "{{ nmae }}"\n', 3, "unknown variable 'nmae'"),
    "a threshold out of range": (FALLBACK + "threshold: 60\n", 2, "'threshold' must be a number from 0 to 1"),
    "a date for a name": (
        "intents:\n- {name: 2026-01-01, ids: [x], reply: [{text: c}]}\nfallbak: 1\n",
        3,
        "unknown",
    ),
}


@pytest.mark.parametrize(("text", "line", "reason"), MISTAKES.values(), ids=MISTAKES.keys())
def test_a_mistake_is_pointed_at_by_line_and_reason(write: Write, text: str, line: int, reason: str) -> None:
    error = broken(write(text))

    assert reason in error.reason
    assert error.line == line


def test_the_error_reads_as_one_sentence_with_file_line_and_reason(write: Write) -> None:
    path = write("intents: []\n")

    assert str(broken(path)) == f"{path}, line 1: 'fallback' is missing"


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    assert str(broken(tmp_path / "no.yaml")).startswith(f"{tmp_path / 'no.yaml'}: it cannot be read")


def test_a_file_that_is_no_text_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "script.yaml"
    path.write_bytes(b"fallback:\n  \xff\xfe\n")

    assert "not UTF-8" in broken(path).reason


def test_a_huge_file_is_refused(write: Write) -> None:
    assert "larger than" in broken(write("#" * 1_000_001)).reason


def test_a_deeply_nested_file_is_refused(write: Write) -> None:
    assert "nested too deeply" in broken(write("fallback: " + "[" * 5_000)).reason


def buttoned(title: str) -> str:
    button = f'{{type: reply, reply: {{id: x, title: "{title}"}}}}'
    interactive = f"{{type: button, body: {{text: x}}, action: {{buttons: [{button}]}}}}"
    return f"fallback:\n  reply:\n  - type: interactive\n    interactive: {interactive}\n"


def test_a_message_that_meta_would_refuse_is_pointed_at(write: Write) -> None:
    error = broken(write(buttoned("x" * 21)))

    assert error.line == 3
    assert error.reason.startswith("Meta would refuse this message: interactive.action.buttons.0.reply.title")


def test_a_placeholder_may_be_longer_than_what_it_stands_for(write: Write) -> None:
    assert load_script(write(buttoned("{{ name|truncate(16) }}"))).fallback.reply


def test_what_only_a_real_message_fills_in_is_no_mistake(write: Write) -> None:
    assert load_script(write('fallback: {reply: [{text: "{{ message.location.latitude|round }}"}]}\n')).fallback.reply


DESK = HOTEL_DESK.read_text(encoding="utf-8").splitlines()
SCRAPS = [
    "",
    "- x",
    "  reply: 7",
    "on: image",
    "{{",
    "{a: [",
    "&a",
    "*a",
    "? b",
    "!!python/object:os.system x",
    "\t",
    "~",
    "1e999",
]


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    at=st.integers(0, len(DESK) - 1),
    gone=st.integers(0, 3),
    scrap=st.sampled_from(SCRAPS),
    depth=st.integers(0, 10),
)
def test_however_a_script_is_damaged_it_is_used_or_the_line_is_named(
    write: Write, at: int, gone: int, scrap: str, depth: int
) -> None:
    lines = [*DESK[:at], " " * depth + scrap, *DESK[at + gone :]]
    named = -1
    try:
        load_script(write("\n".join(lines)))
    except ScriptError as error:
        named = error.line

    assert named <= len(lines) + 1
