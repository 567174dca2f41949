"""What to say: the script's reply, filled in and within Meta's limits.

The script is stateless on purpose; what needs to remember is a tool's work (`http_responder.py`).
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol

from jinja2.exceptions import TemplateError

from wa_service.conversation.notice import Notice, say_nothing
from wa_service.conversation.reply_check import UnusableReplyError, checked_reply
from wa_service.conversation.script import Problem, Reply, Script
from wa_service.conversation.templating import Budget

MAX_TEXT = 4_096
"""Characters of a text message (reference 2.3)."""


@dataclass(frozen=True, slots=True)
class Understood:
    """One message of a customer, heard and understood."""

    id: str
    conversation: str
    phone_number_id: str
    timestamp: float
    name: str
    text: str
    intent: str
    score: float
    message: Mapping[str, Any]
    contact: Mapping[str, Any] = field(default_factory=dict)
    transcript: str | None = None
    confidence: float | None = None


class Responder(Protocol):
    """Says what to answer: Meta message objects without `to`, none for silence."""

    def respond(self, understood: Understood) -> tuple[dict[str, Any], ...]:
        """The replies. Raises Unavailable when what it asks is known to be away."""
        ...


class SilentResponder:
    """`WA_RESPONDER=none`: tools read the events and answer by REST."""

    def respond(self, understood: Understood) -> tuple[dict[str, Any], ...]:  # noqa: ARG002  # as the protocol has it
        """Nothing."""
        return ()


class ScriptResponder:
    """`WA_RESPONDER=script`: the intent's reply, else the fallback."""

    def __init__(self, script: Script, notice: Notice = say_nothing) -> None:
        self._script = script
        self._replies = {intent.name: intent.reply for intent in script.intents}
        self._notice = notice

    def respond(self, understood: Understood) -> tuple[dict[str, Any], ...]:
        """The reply of the intent, or the fallback where none was understood."""
        reply = self._replies.get(understood.intent)
        return self._fill(reply, understood) if reply else self.fallback(understood)

    def fallback(self, understood: Understood) -> tuple[dict[str, Any], ...]:
        """The script's fallback, whatever was understood; a message without words is asked for some."""
        if not understood.text.strip():
            return self.problem(Problem.NOT_WORDS, understood)
        return self._fill(self._script.fallback, understood)

    def problem(self, problem: Problem, understood: Understood) -> tuple[dict[str, Any], ...]:
        """What the script says about this problem."""
        return self._fill(self._script.problems[problem], understood)

    def _fill(self, replies: Sequence[Reply], understood: Understood) -> tuple[dict[str, Any], ...]:
        try:
            return self._rendered(replies, understood)
        except (TemplateError, UnusableReplyError) as error:
            self._notice("reply_failed", intent=understood.intent, reason=str(error))
        try:
            return self._rendered(self._script.problems[Problem.FAILED], understood)
        except (TemplateError, UnusableReplyError) as error:
            self._notice("reply_failed", intent=str(Problem.FAILED), reason=str(error))
            return ()

    def _rendered(self, replies: Sequence[Reply], understood: Understood) -> tuple[dict[str, Any], ...]:
        variables = {
            "text": understood.text,
            "name": understood.name,
            "intent": understood.intent,
            "contact": understood.contact,
            "message": understood.message,
        }
        budget = Budget()
        messages = [_fitting(reply.render(variables, budget)) for reply in replies]
        return tuple(checked_reply(message) for message in messages if not _is_empty_text(message))


def _fitting(message: dict[str, Any]) -> dict[str, Any]:
    """A text that echoes a long message is cut rather than refused by Meta."""
    text = message.get("text")
    if message.get("type") == "text" and isinstance(text, dict) and isinstance(text.get("body"), str):
        body = text["body"].strip()
        cut = body if len(body) <= MAX_TEXT else body[: MAX_TEXT - 1] + "…"
        return {**message, "text": {**text, "body": cut}}
    return message


def _is_empty_text(message: Mapping[str, Any]) -> bool:
    """A text whose template chose to say nothing this time."""
    return message.get("type") == "text" and not (message.get("text") or {}).get("body")
