"""Hear, understand, respond: from a customer's message to the replies. Writes nothing and sends nothing."""

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

from wa_service.conversation.intents import Example, Matcher, Meaning
from wa_service.conversation.responder import Responder, ScriptResponder, SilentResponder, Understood
from wa_service.conversation.script import Problem, Script
from wa_service.conversation.transcription import FetchMedia, Heard, Hearing, Unheard
from wa_service.conversation.utterance import Content, message_of, read_content
from wa_service.resilience.breaker import Unavailable
from wa_service.whatsapp.webhooks.events import Audio, InboundMessage, WebhookEvent

__all__ = ["Answer", "Incoming", "Pipeline", "Startable", "Unavailable", "examples_of"]

UNSUPPORTED_EVERY = 3_600
"""Seconds: what WhatsApp does not hand on is answered once per conversation in this time."""


@dataclass(frozen=True, slots=True)
class Incoming:
    """One message at the head of its conversation's mailbox, and what may be asked about it."""

    event: InboundMessage
    conversation: str
    name: str
    contact: Mapping[str, Any]
    """Addresses, window …; may be empty."""
    fetch_media: FetchMedia
    """Called with the media id when a recording is to be heard. Media errors become a scripted reply;
    connection, server, rate and auth errors pass through `handle`, for the worker to try again."""
    unsupported_answered_at: float | None = None
    """When (unix seconds) this conversation last got the answer to an unsupported message."""


@dataclass(frozen=True, slots=True)
class Answer:
    """What became of a message."""

    replies: tuple[dict[str, Any], ...]
    """Meta message objects without `to`, at most ten."""
    intent: str
    """The intent's name; "" for none; the problem's name where a problem was answered."""
    transcript: str | None = None
    confidence: float | None = None
    unsupported_answered: bool = False


class Startable(Protocol):
    """Something with processes of its own."""

    def start(self) -> None:
        """Start them."""
        ...

    def stop(self) -> None:
        """End them."""
        ...


class Pipeline:
    """The conversation: one for each worker process, safe to use from many greenlets or threads.

    `patience`: seconds after a message was written for which it may wait for an outside service that is away;
    then the customer gets the script's word instead.
    """

    def __init__(
        self,
        *,
        script: Script,
        matcher: Matcher,
        scripted: ScriptResponder,
        responder: Responder,
        hearing: Hearing,
        parts: Sequence[Startable] = (),
        patience: float = 300.0,
        clock: Callable[[], float] = time.time,
    ) -> None:
        self._examples = examples_of(script)
        self._by_choice = {choice: intent.name for intent in script.intents for choice in intent.ids}
        self._by_kind = {kind: intent.name for intent in script.intents for kind in intent.on}
        self._matcher = matcher
        self._scripted = scripted
        self._responder = responder
        self._hearing = hearing
        self._parts = tuple(parts)
        self._patience = patience
        self._clock = clock

    def start(self) -> None:
        """Start the child processes; what cannot start is met by its own fallback later."""
        for part in self._parts:
            part.start()

    def stop(self) -> None:
        """End the child processes; returns within a few seconds and leaves none."""
        for part in self._parts:
            part.stop()

    def wants_answer(self, event: WebhookEvent) -> bool:
        """Whether this is a message to mark as read and answer; reactions and the like never are."""
        content = read_content(event)
        return content is not None and (content.kind != "welcome" or content.kind in self._by_kind)

    def handle(self, incoming: Incoming) -> Answer:
        """The replies to one message, and what was understood.

        Raises Unavailable when an outside service is known to be away (wait, and count no try), and the
        WhatsAppError of `fetch_media` when the recording may still be had later.
        """
        event = incoming.event
        content = read_content(event)
        if content is None or not self.wants_answer(event):
            return Answer(replies=(), intent="")
        if isinstance(event, Audio):
            return self._handle_recording(event, incoming)
        if content.kind == "unsupported":
            return self._handle_unsupported(incoming)
        return self._respond(_understood(incoming, content.text, self.understand(content)))

    def understand(self, content: Content) -> Meaning:
        """The intent: by the id of a pressed button, by the kind of message, else by its words."""
        by_choice = self._by_choice.get(content.choice) if content.choice else None
        known = by_choice or self._by_kind.get(content.kind)
        if known is not None:
            return Meaning(known, 1.0)
        if not content.text.strip():
            return Meaning(None, 0.0)
        return self._matcher.scores(content.text).nearest(self._examples)

    def _handle_recording(self, event: Audio, incoming: Incoming) -> Answer:
        heard = self._heard(event, incoming)
        meaning = Meaning(None, 0.0)
        if isinstance(heard, Unheard):
            words = heard.transcript or ""
            understood = _understood(incoming, words, meaning, heard.transcript, heard.confidence)
            return self._problem(heard.problem, understood)
        meaning = self.understand(Content("text", text=heard.text))
        return self._respond(_understood(incoming, heard.text, meaning, heard.text, heard.confidence))

    def _heard(self, event: Audio, incoming: Incoming) -> Heard | Unheard:
        try:
            return self._hearing.hear(event, incoming.fetch_media)
        except Unavailable:
            if self._may_wait(event.timestamp):
                raise
            return Unheard(Problem.SPEECH_OFF)

    def _handle_unsupported(self, incoming: Incoming) -> Answer:
        last = incoming.unsupported_answered_at
        if last is not None and self._clock() - last < UNSUPPORTED_EVERY:
            return Answer(replies=(), intent="unsupported")
        answer = self._respond(_understood(incoming, "", self.understand(Content("unsupported"))))
        return Answer(answer.replies, "unsupported", unsupported_answered=bool(answer.replies))

    def _respond(self, understood: Understood) -> Answer:
        try:
            replies = self._responder.respond(understood)
        except Unavailable:
            if self._may_wait(understood.timestamp):
                raise
            replies = self._scripted.fallback(understood)
        return Answer(replies, understood.intent, understood.transcript, understood.confidence)

    def _problem(self, problem: Problem, understood: Understood) -> Answer:
        silent = isinstance(self._responder, SilentResponder)
        replies = () if silent else self._scripted.problem(problem, understood)
        return Answer(replies, str(problem), understood.transcript, understood.confidence)

    def _may_wait(self, written_at: float) -> bool:
        return self._clock() - written_at < self._patience


def examples_of(script: Script) -> tuple[Example, ...]:
    """Every example phrase of the script, in its order."""
    return tuple(Example(intent.name, text) for intent in script.intents for text in intent.examples)


def _understood(
    incoming: Incoming,
    text: str,
    meaning: Meaning,
    transcript: str | None = None,
    confidence: float | None = None,
) -> Understood:
    event = incoming.event
    return Understood(
        id=event.id,
        conversation=incoming.conversation,
        phone_number_id=event.phone_number_id,
        timestamp=event.timestamp,
        name=incoming.name,
        text=text,
        intent=meaning.intent or "",
        score=meaning.score,
        message=message_of(event),
        contact=incoming.contact,
        transcript=transcript,
        confidence=confidence,
    )
