"""STOP and START: which messages count, and the replies."""

from __future__ import annotations

from typing import Any

import pytest

from tests.unit.conversation.customer_messages import NOW, MakePipeline, handled, text_message
from wa_service.conversation.responder import SilentResponder
from wa_service.whatsapp.stop_words import StopWords

WORDS = StopWords.of(["STOP", "ARRÊT", "no more"], ["START"])
SCRIPT = """\
intents:
  - {name: own, ids: [STOP-OWN], examples: [begin], reply: [{text: "own"}]}
fallback: {reply: [{text: "You said: {{ text }}"}]}
"""
OWN_WORDS = SCRIPT + 'stopped: {reply: [{text: "Gone, {{ name }}."}]}\n'


def press(title: str, id_: str) -> dict[str, Any]:
    return {
        "type": "interactive",
        "interactive": {"type": "button_reply", "button_reply": {"id": id_, "title": title}},
    }


@pytest.mark.parametrize(
    ("said", "meaning"),
    [
        ("STOP", "stop"),
        (" stop!\n", "stop"),
        ("arrêt", "stop"),
        ("ARRÊT.", "stop"),
        ("no  more", "stop"),
        ("\uff33\uff34\uff2f\uff30", "stop"),
        ("start", "start"),
        ("stop it", None),
        ("please stop", None),
        ("", None),
        ("!", None),
        ("stop" * 100, None),
    ],
)
def test_a_word_counts_as_a_whole_message_however_it_is_written(said: str, meaning: str | None) -> None:
    assert WORDS.meaning(said) == meaning


@pytest.mark.parametrize(
    ("message", "meaning"),
    [
        (text_message("Stop"), "stop"),
        ({"type": "button", "button": {"text": "Enough", "payload": "STOP"}}, "stop"),
        ({"type": "button", "button": {"text": "Stop", "payload": "x"}}, "stop"),
        (press("Stop", "x"), "stop"),
        (press("x", "stop"), "stop"),
        ({**text_message("stop"), "group_id": "g"}, None),
        ({"type": "edit", "edit": {"original_message_id": "wamid.A", "message": text_message("Stop")}}, "stop"),
        ({"type": "edit", "edit": {"message": text_message("start")}}, "start"),
        ({"type": "edit", "edit": {"message": text_message("stop")}, "group_id": "g"}, None),
        ({"type": "edit", "edit": {"message": text_message("stop it")}}, None),
        ({"type": "edit", "edit": {"message": "stop"}}, None),
        ({"type": "edit", "edit": None, "text": {"body": "stop"}}, None),
        ({"type": "image", "image": {"id": "stop", "caption": "stop it"}}, None),
        ({"type": "text", "text": "stop"}, None),
        ({"type": ["text"]}, None),
        ({}, None),
    ],
)
def test_a_text_or_a_button_says_it(message: dict[str, Any], meaning: str | None) -> None:
    assert WORDS.meaning_of(message) == meaning


def test_without_words_nothing_is_said() -> None:
    assert StopWords().meaning("STOP", "") is None


@pytest.mark.parametrize(
    ("script", "message", "contact", "answer", "intent"),
    [
        (SCRIPT, text_message("STOP"), {}, "You will get no more offers", "stopped"),
        (OWN_WORDS, text_message("stop"), {}, "Gone, Ana Lima.", "stopped"),
        (SCRIPT, text_message("START"), {"started": float(NOW)}, "Welcome back", "started"),
        (SCRIPT, text_message("START"), {"started": float(NOW - 9)}, "You said: START", ""),
        (SCRIPT, text_message("START"), {}, "You said: START", ""),
        (SCRIPT, press("Stop", "STOP-OWN"), {}, "own", "own"),
    ],
)
def test_the_script_confirms_what_took_effect(
    make_pipeline: MakePipeline, script: str, message: Any, contact: Any, answer: str, intent: str
) -> None:
    result = handled(make_pipeline(script, stop_words=WORDS), message, contact=contact)

    assert [reply["text"]["body"].startswith(answer) for reply in result.replies] == [True]
    assert result.intent == intent


def test_nobody_confirms_where_nobody_answers(make_pipeline: MakePipeline) -> None:
    silent = make_pipeline(SCRIPT, stop_words=WORDS, responder=SilentResponder())

    assert handled(silent, text_message("STOP")).replies == ()
