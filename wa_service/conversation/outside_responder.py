"""An external responder: retries within a time limit, a breaker, and the script's fallback when it fails."""

from __future__ import annotations

import time
from collections.abc import Callable

from wa_service.conversation.reply_check import UnusableReplyError
from wa_service.conversation.responder import ResponderAnswer, ScriptResponder
from wa_service.conversation.utterance import Utterance
from wa_service.observability import log, metrics
from wa_service.resilience.breaker import CircuitBreaker
from wa_service.resilience.http import HttpAnswer, HttpCallError
from wa_service.whatsapp.errors import retry_after_seconds

LARGEST_ANSWER = 512 * 1024
"""Most bytes read of an answer: ten of the largest messages, or a text with a model's reasoning."""
_ATTEMPTS = 3
_BUSY = frozenset({408, 425, 429})

Ask = Callable[[float], HttpAnswer]
"""Ask once, within so many seconds. Raises HttpCallError."""
Read = Callable[[HttpAnswer], ResponderAnswer]
"""Read an answer. Raises UnusableReplyError."""


class OutsideResponder:
    """Ask a service of the operator's; while it fails, the script's fallback answers.

    `seconds`: for all attempts of one message together.
    """

    def __init__(
        self, scripted: ScriptResponder, service: CircuitBreaker, *, seconds: float, pause_seconds: float
    ) -> None:
        self._scripted = scripted
        self._service = service
        self._seconds = seconds
        self._pause_seconds = pause_seconds
        self._log = log.get_logger()

    def answer(self, utterance: Utterance, ask: Ask, read: Read) -> ResponderAnswer:
        """Return the service's answer, or the script's fallback where it failed. Raises Unavailable."""
        began = time.monotonic()
        outcome, answer = self._answer(utterance, ask, read)
        metrics.responder_called(outcome, time.monotonic() - began)
        return answer

    def _answer(self, utterance: Utterance, ask: Ask, read: Read) -> tuple[str, ResponderAnswer]:
        """Return the outcome (see `metrics.responder_called`) and the answer."""
        try:
            with self._service.calling():
                answer = self._ask_with_retries(ask)
        except HttpCallError as error:
            self._log.warning("whatsapp.conversation.responder_failed", reason=str(error))
            return "failed", ResponderAnswer(self._scripted.fallback(utterance))
        try:
            found = read(answer)
        except UnusableReplyError as error:
            self._log.warning("whatsapp.conversation.responder_answer_unusable", reason=str(error))
            return "unusable", ResponderAnswer(self._scripted.fallback(utterance))
        return ("answered" if found.replies else "silent"), found

    def _ask_with_retries(self, ask: Ask) -> HttpAnswer:
        """Ask, and retry while there is time, because the service may be overloaded or restarting.

        It may name the time of the next try (`Retry-After`).
        """
        until = time.monotonic() + self._seconds
        for attempt in range(1, _ATTEMPTS + 1):
            try:
                return _served(ask(until - time.monotonic()))
            except HttpCallError as error:
                requested = error.retry_after if isinstance(error, _BusyError) else 0.0
                pause = max(self._pause_seconds, requested)
                if attempt == _ATTEMPTS or until - time.monotonic() < pause + self._pause_seconds:
                    raise
                time.sleep(pause)
        raise AssertionError("unreachable")


class _BusyError(HttpCallError):
    """A status that is worth a retry, after `retry_after` seconds."""

    def __init__(self, answer: HttpAnswer) -> None:
        super().__init__(f"HTTP {answer.status}")
        self.retry_after = retry_after_seconds(answer.headers) or 0.0


def _served(answer: HttpAnswer) -> HttpAnswer:
    """Return a final answer; raise _BusyError for a status that is worth a retry."""
    if answer.status >= 500 or answer.status in _BUSY:
        raise _BusyError(answer)
    return answer
