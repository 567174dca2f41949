"""From a customer's message to the replies: transcribe, match the intent, respond. It writes and sends nothing."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any

from wa_service.conversation.http_responder import HttpResponder
from wa_service.conversation.http_speech import LocalSpeechClient
from wa_service.conversation.intents import Example, FuzzyMatcher, IntentMatch
from wa_service.conversation.responder import (
    Responder,
    ResponderAnswer,
    ScriptResponder,
    SilentResponder,
    choice_of,
)
from wa_service.conversation.script import MAX_REPLIES, ConversationProblem, Script
from wa_service.conversation.semantic import SemanticMatcher
from wa_service.conversation.sentence_trial import SentenceTrial, try_sentence
from wa_service.conversation.transcription import FetchMedia, Transcriber, Transcription
from wa_service.conversation.utterance import NOT_RECEIVED, Utterance
from wa_service.observability import metrics
from wa_service.resilience.breaker import Unavailable
from wa_service.whatsapp.stop_words import StopWords
from wa_service.whatsapp.webhooks.events import Audio

TYPING_AFTER = 1.0
UNSUPPORTED_EVERY = 3_600
"""Seconds in which unsupported messages are answered once per conversation."""
_NO_WORDS = StopWords()
_NOTHING_ASKED = frozenset({"reaction", "system", "edit", "revoke", "call_permission_reply", "welcome"})
"""Kinds that are answered only if the script has an intent `on` them."""
_CHANGES = frozenset({"edit", "revoke"})
"""Kinds that external responders get as well, because they change an earlier message."""
_CAPTIONED = frozenset({"image", "video", "document", "sticker"})


@dataclass(frozen=True, slots=True)
class PipelineResult:
    """The result for an utterance.

    `replies`: Meta message objects without `to`, at most ten. `intent`: its name, "" for none, or the problem's name.
    `is_understood`: whether the transcript is reliable. `pause_seconds`, `handover`, `mark_read`: as in
    `ResponderAnswer`. `score`: of the intent; `quiet`: why no responder was asked.
    """

    replies: tuple[dict[str, Any], ...] = ()
    intent: str = ""
    transcript: str | None = None
    confidence: float | None = None
    is_understood: bool = True
    unsupported_answered: bool = False
    pause_seconds: float | None = None
    handover: str = ""
    mark_read: bool = True
    score: float | None = None
    quiet: str = ""


class Pipeline:
    """The conversation: one for each worker process, safe to use from many greenlets or threads.

    `patience`: seconds after a message was written for which it may wait for an outside service that is
    unavailable; then the script answers instead.
    """

    def __init__(
        self,
        *,
        script: Script,
        matcher: FuzzyMatcher | SemanticMatcher,
        scripted: ScriptResponder,
        responder: Responder,
        transcriber: Transcriber,
        parts: Sequence[SemanticMatcher | LocalSpeechClient] = (),
        patience: float = 300.0,
        stop_words: StopWords = _NO_WORDS,
        clock: Callable[[], float] = time.time,
    ) -> None:
        self._examples = examples_of(script)
        self._by_choice = {choice_of(intent.name): intent.name for intent in script.intents}
        self._by_choice |= {choice: intent.name for intent in script.intents for choice in intent.ids}
        self._by_kind = {kind: intent.name for intent in script.intents for kind in intent.on}
        self._matcher = matcher
        self._scripted = scripted
        self._responder = responder
        self._transcriber = transcriber
        self._parts = tuple(parts)
        self._patience = patience
        self._stop_words = stop_words
        self._clock = clock

    @property
    def typing_after(self) -> float:
        """Seconds until a message is marked as read, in which a tool may answer that it is to stay unread."""
        return TYPING_AFTER if isinstance(self._responder, HttpResponder) else 0.0

    @property
    def recording_seconds(self) -> float:
        """The longest time to download and transcribe a recording, before the responder is asked."""
        return self._transcriber.most_seconds

    def start(self) -> None:
        """Start the speech processes; one that cannot start has a fallback."""
        for part in self._parts:
            part.start()

    def stop(self) -> None:
        """Stop the speech processes; return within a few seconds."""
        for part in self._parts:
            part.stop()

    def wants_answer(self, utterance: Utterance) -> bool:
        """Return whether to mark this as read and answer it; reactions and the like are not answered."""
        if utterance.kind in _CHANGES and not isinstance(self._responder, ScriptResponder | SilentResponder):
            return True
        if utterance.kind == "reaction" and not utterance.message["reaction"].get("emoji"):  # taken back (5.6)
            return False
        return utterance.kind not in _NOTHING_ASKED or utterance.kind in self._by_kind

    def handle(self, utterance: Utterance, fetch_media: FetchMedia) -> PipelineResult:
        """Return the replies to one utterance, with intent and transcript.

        `fetch_media` downloads a recording by its media id. Raises Unavailable while an external service is unavailable
        (retry later, without counting a failure), and the WhatsAppError of `fetch_media` if a retry may succeed.
        """
        if not self.wants_answer(utterance):
            return PipelineResult()
        if (confirmed := self._answer_consent(utterance)) is not None:
            return confirmed
        if utterance.recording is not None:
            return self._answer_recording(utterance, utterance.recording, fetch_media)
        if utterance.kind == "unsupported":
            return self._answer_unsupported(utterance)
        return self._respond(self._understood(utterance))

    def match(self, utterance: Utterance) -> IntentMatch:
        """Return the intent: by the id of a pressed button, by the kind of message, else by its text.

        An intent that matches a caption overrides the intent `on` the kind of media.
        """
        by_choice = self._by_choice.get(utterance.choice) if utterance.choice else None
        known = by_choice or self._by_kind.get(utterance.kind)
        by_name = IntentMatch(known, 1.0 if known else 0.0)
        asks_in_words = bool(utterance.text.strip()) and (known is None or utterance.kind in _CAPTIONED)
        if not asks_in_words:
            return by_name
        by_words = self._matcher.scores(utterance.text).nearest(self._examples)
        return by_words if known is None or by_words.intent or by_words.alternatives else by_name

    def try_sentence(self, text: str) -> SentenceTrial:
        """Try a sentence on the script, compared as customers' messages are."""
        return try_sentence(text, self._matcher, self._examples, self._scripted)

    def _understood(self, utterance: Utterance) -> Utterance:
        match = self.match(utterance)
        return replace(utterance, intent=match.intent or "", score=match.score, alternatives=match.alternatives)

    def _answer_consent(self, utterance: Utterance) -> PipelineResult | None:
        """Confirm a STOP, or a START that took effect; None if it is neither, or another responder answers.

        The store has applied the word already, whether it is confirmed or not.
        """
        word = self._stop_words.meaning_of(utterance.message) if len(utterance.messages) < 2 else None
        elsewhere = isinstance(self._responder, HttpResponder | SilentResponder) or utterance.choice in self._by_choice
        if word is None or elsewhere:
            return None
        if word == "start" and utterance.contact.get("started") != utterance.timestamp:
            return None
        return PipelineResult(self._scripted.consent(word, utterance), "stopped" if word == "stop" else "started")

    def _answer_recording(self, utterance: Utterance, recording: Audio, fetch_media: FetchMedia) -> PipelineResult:
        found = self._transcribe(recording, fetch_media)
        utterance = replace(
            utterance, transcript=found.text, confidence=found.confidence, only_language=found.only_language
        )
        if found.problem is not None:
            # An unreliable transcript is not used as text, so that no reply quotes it.
            return self._answer_unheard(found.problem, utterance)
        text = "\n".join(part for part in (utterance.text, found.text) if part)
        return self._respond(self._understood(replace(utterance, text=text)))

    def _answer_unheard(self, problem: ConversationProblem, utterance: Utterance) -> PipelineResult:
        """Answer the text that came with an unintelligible recording, and add the reply to the problem."""
        result = self._answer_problem(problem, utterance)
        if not utterance.text.strip():
            return result
        written = self._respond(self._understood(replace(utterance, kind="text", transcript=None, confidence=None)))
        replies = (*written.replies, *result.replies)[:MAX_REPLIES]
        return replace(
            written,
            replies=replies,
            transcript=utterance.transcript,
            confidence=utterance.confidence,
            is_understood=False,
        )

    def _transcribe(self, recording: Audio, fetch_media: FetchMedia) -> Transcription:
        try:
            return self._transcriber.transcribe(recording, fetch_media)
        except Unavailable:
            if self._may_wait(recording.timestamp):
                raise
            return Transcription(problem=ConversationProblem.SPEECH_OFF)

    def _answer_unsupported(self, utterance: Utterance) -> PipelineResult:
        metrics.unsupported_received(utterance.error_code)
        last = None if utterance.error_code == NOT_RECEIVED else utterance.unsupported_answered_at
        if last is not None and self._clock() - last < UNSUPPORTED_EVERY:
            return PipelineResult(intent="unsupported")
        result = self._respond(self._understood(utterance))
        return replace(result, intent="unsupported", unsupported_answered=bool(result.replies))

    def _respond(self, utterance: Utterance) -> PipelineResult:
        try:
            answer = self._responder.respond(utterance)
        except Unavailable:
            if self._may_wait(utterance.timestamp):
                raise
            answer = ResponderAnswer(self._scripted.fallback(utterance))
        return PipelineResult(
            answer.replies,
            utterance.intent,
            utterance.transcript,
            utterance.confidence,
            pause_seconds=answer.pause_seconds,
            handover=answer.handover,
            mark_read=answer.mark_read,
            score=utterance.score,
        )

    def _answer_problem(self, problem: ConversationProblem, utterance: Utterance) -> PipelineResult:
        silent = isinstance(self._responder, SilentResponder)
        replies = () if silent else self._scripted.problem(problem, utterance)
        return PipelineResult(replies, str(problem), utterance.transcript, utterance.confidence, is_understood=False)

    def apologise(self, utterance: Utterance) -> tuple[dict[str, Any], ...]:
        """Return the reply to a customer whose message could not be handled at all."""
        silent = isinstance(self._responder, SilentResponder)
        return () if silent else self._scripted.problem(ConversationProblem.FAILED, utterance)

    def _may_wait(self, written_at: float) -> bool:
        return self._clock() - written_at < self._patience


def examples_of(script: Script) -> tuple[Example, ...]:
    """Return every example phrase of the script, in order."""
    return tuple(Example(intent.name, text) for intent in script.intents for text in intent.examples)
