"""Responders: replies from the script, rendered and within Meta's limits.

The script is stateless by design; a conversation with state needs a tool (`http_responder.py`).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal, Protocol

from jinja2.exceptions import TemplateError

from wa_service.conversation.reply_check import UnusableReplyError, checked_reply
from wa_service.conversation.script import Clarify, ConversationProblem, ReplyTemplate, Script
from wa_service.conversation.utterance import NOT_RECEIVED, Utterance
from wa_service.observability import log

MAX_BUTTONS = 3
MAX_TEXT = 4_096
"""Most characters of a text message (reference 2.3)."""


_CHANGES_AND_REACTIONS = frozenset({"edit", "revoke", "reaction"})


@dataclass(frozen=True, slots=True)
class ResponderAnswer:
    """The replies, and further effects on the conversation.

    `replies`: Meta message objects without `to`, none for no reply. `pause_seconds`: pause automatic replies for so
    long; None: no change. `handover`: why a person is to take over, "" if none is. `mark_read`: whether to mark the
    message as read.
    """

    replies: tuple[dict[str, Any], ...] = ()
    pause_seconds: float | None = None
    handover: str = ""
    mark_read: bool = True


class Responder(Protocol):
    """Answer utterances."""

    def respond(self, utterance: Utterance) -> ResponderAnswer:
        """Return the answer. Raises Unavailable while an external service is unavailable."""
        ...


class SilentResponder:
    """`WA_RESPONDER=none`: tools read the events and answer by REST."""

    def respond(self, utterance: Utterance) -> ResponderAnswer:  # noqa: ARG002  # the protocol's signature
        """Return no reply."""
        return ResponderAnswer()


class ScriptResponder:
    """`WA_RESPONDER=script`: the intent's reply, else the fallback."""

    def __init__(self, script: Script) -> None:
        self._script = script
        self._replies = {intent.name: intent.reply for intent in script.intents}
        self._titles = {intent.name: intent.title for intent in script.intents}
        self._log = log.get_logger()

    def respond(self, utterance: Utterance) -> ResponderAnswer:
        """Return the reply of the intent, or the fallback if none matched."""
        if utterance.error_code == NOT_RECEIVED:
            return ResponderAnswer(self.problem(ConversationProblem.NOT_RECEIVED, utterance))
        has_buttons = not utterance.message.get("group_id")  # Meta takes none in a group (reference 2.7)
        if len(self._titled(utterance.alternatives)) > 1 and self._script.clarify is not None and has_buttons:
            return ResponderAnswer(self._clarify(utterance, self._script.clarify))
        reply = self._replies.get(utterance.intent)
        return ResponderAnswer(self._fill(reply, utterance) if reply else self.fallback(utterance))

    def fallback(self, utterance: Utterance) -> tuple[dict[str, Any], ...]:
        """Return the script's fallback, or for a message without text the reply `not_words`.

        A change of an earlier message, or a reaction, gets no reply: it asks nothing.
        """
        if utterance.kind in _CHANGES_AND_REACTIONS:
            return ()
        if not utterance.text.strip():
            return self.problem(ConversationProblem.NOT_WORDS, utterance)
        return self._fill(self._script.fallback.reply, utterance)

    def problem(self, problem: ConversationProblem, utterance: Utterance) -> tuple[dict[str, Any], ...]:
        """Return the script's reply to this problem."""
        return self._fill(self._script.problems[problem].reply, utterance)

    def consent(self, word: Literal["stop", "start"], utterance: Utterance) -> tuple[dict[str, Any], ...]:
        """Return the script's confirmation of a STOP or START."""
        answer = self._script.stopped if word == "stop" else self._script.started
        return self._fill(answer.reply, utterance) if answer else ()

    def _titled(self, intents: Sequence[str]) -> dict[str, str]:
        """Return the titles of the intents that have one; at most three, as many as a message may have buttons."""
        titled = {name: self._titles[name] for name in intents if self._titles.get(name)}
        return dict(list(titled.items())[:MAX_BUTTONS])

    def _clarify(self, utterance: Utterance, clarify: Clarify) -> tuple[dict[str, Any], ...]:
        """Ask which intent is meant, with buttons whose ids name the intents, so that no state is needed."""
        replies = [
            {"type": "reply", "reply": {"id": choice_of(name), "title": title}}
            for name, title in self._titled(utterance.alternatives).items()
        ]
        content = {"type": "button", "body": {"text": clarify.text}, "action": {"buttons": replies}}
        return self._fill([ReplyTemplate({"type": "interactive", "interactive": content})], utterance)

    def _fill(self, replies: Sequence[ReplyTemplate], utterance: Utterance) -> tuple[dict[str, Any], ...]:
        try:
            return self._rendered(replies, utterance)
        except (TemplateError, UnusableReplyError) as error:
            self._log.warning("whatsapp.conversation.reply_failed", intent=utterance.intent, reason=str(error))
        failed = ConversationProblem.FAILED
        try:
            return self._rendered(self._script.problems[failed].reply, utterance)
        except (TemplateError, UnusableReplyError) as error:
            self._log.warning("whatsapp.conversation.reply_failed", intent=str(failed), reason=str(error))
            return ()

    def _rendered(self, replies: Sequence[ReplyTemplate], utterance: Utterance) -> tuple[dict[str, Any], ...]:
        variables = {
            "text": utterance.text[:MAX_TEXT],  # a burst's may be longer than a template may print
            "name": utterance.name,
            "intent": utterance.intent,
            "contact": utterance.contact,
            "message": utterance.message,
            "messages": list(utterance.messages),
            "only_language": utterance.only_language,
        }
        messages = [_cut_to_limit(reply.render(variables)) for reply in replies]
        return tuple(checked_reply(message) for message in messages if not _is_empty_text(message))


def choice_of(intent: str) -> str:
    """Return the id of an intent's button."""
    return f"intent:{intent}"


def _cut_to_limit(message: dict[str, Any]) -> dict[str, Any]:
    """Cut a long text to Meta's limit; it may quote a long message."""
    text = message.get("text")
    if message.get("type") == "text" and isinstance(text, dict) and isinstance(text.get("body"), str):
        body = text["body"].strip()
        cut = body if len(body) <= MAX_TEXT else body[: MAX_TEXT - 1] + "…"
        return {**message, "text": {**text, "body": cut}}
    return message


def _is_empty_text(message: Mapping[str, Any]) -> bool:
    """Whether a text's template rendered to nothing."""
    return message.get("type") == "text" and not (message.get("text") or {}).get("body")
