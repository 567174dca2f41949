"""The earlier turns of a conversation, from the messages of its thread in order of arrival."""

from __future__ import annotations

from typing import Any

from wa_service.conversation.utterance import Turn
from wa_service.service.conversation_view import ThreadMessage
from wa_service.service.message_content import MessageContent
from wa_service.worker.turns import turns_of


def received(text: str, **others: Any) -> ThreadMessage:
    content = MessageContent("text", text)
    return ThreadMessage("", "in", 0, "message", content, {}, text, reference=f"r-{text}", **others)


def answer(text: str, to: str) -> ThreadMessage:
    return ThreadMessage("", "out", 0, "send", MessageContent("text", text), {}, text, answers=f"r-{to}" if to else "")


def test_answers_that_were_written_after_the_question_arrived_follow_what_they_answer() -> None:
    thread = [
        received("one"),
        received("two"),
        received("asked"),
        answer("1a", "one"),
        received("three"),
        answer("1b", "one"),
        answer("2", "two"),
        answer("by REST", ""),
    ]
    assert turns_of(thread, {"asked"}) == [
        Turn("user", "one"),
        Turn("assistant", "1a\n1b"),
        Turn("user", "two"),
        Turn("assistant", "2"),
    ]


def test_the_answer_to_a_burst_follows_its_last_message() -> None:
    handled = ({"m": "r-one", "with": ["r-two"]},)
    thread = [received("one", notes=handled), received("two", notes=handled), received("asked"), answer("both", "one")]
    assert turns_of(thread, {"asked"}) == [Turn("user", "one\ntwo"), Turn("assistant", "both")]
