"""`WA_RESPONDER=http`: a tool of the operator's says what to answer.

Each message is POSTed as JSON, signed the Standard Webhooks way; `webhook-id` is the message's id, the same in every
repetition, so that the tool can answer a repetition without doing the work twice. The tool answers 200 with
`{"messages": [Meta message objects without "to"]}`, or 204 for silence.
"""

from __future__ import annotations

import base64
import binascii
import time
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from typing import Any

import orjson
from standardwebhooks import Webhook

from wa_service.conversation.reply_check import UnusableReplyError, checked_reply
from wa_service.conversation.responder import ScriptResponder
from wa_service.conversation.script import MAX_REPLIES
from wa_service.conversation.utterance import Utterance
from wa_service.observability import log
from wa_service.resilience.breaker import CircuitBreaker
from wa_service.resilience.http import HttpAnswer, HttpCaller, HttpCallError

_ATTEMPTS = 3


class HttpResponder:
    """Asks the tool; while it fails, the script's fallback answers.

    `seconds`: for all attempts of one message together. Raises ValueError for a secret that is none.
    """

    def __init__(
        self,
        url: str,
        secret: str,
        scripted: ScriptResponder,
        *,
        seconds: float = 10.0,
        pause_seconds: float = 0.5,
        service: CircuitBreaker | None = None,
        caller: HttpCaller | None = None,
        clock: Callable[[], float] = time.time,
    ) -> None:
        self._url = url
        self._webhook = Webhook(_checked_secret(secret))
        self._scripted = scripted
        self._seconds = seconds
        self._pause_seconds = pause_seconds
        self._service = service or CircuitBreaker("the responder")
        self._caller = caller or HttpCaller()
        self._clock = clock
        self._log = log.get_logger()

    def respond(self, utterance: Utterance) -> tuple[dict[str, Any], ...]:
        """Return the tool's replies, or the script's fallback where it failed. Raises Unavailable."""
        body = orjson.dumps(_request(utterance), default=str)
        try:
            with self._service.calling():
                answer = self._ask_patiently(utterance.id, body)
        except HttpCallError as error:
            self._log.warning("whatsapp.conversation.responder_failed", reason=str(error))
            return self._scripted.fallback(utterance)
        try:
            return _replies(answer)
        except UnusableReplyError as error:
            self._log.warning("whatsapp.conversation.responder_answer_unusable", reason=str(error))
            return self._scripted.fallback(utterance)

    def _ask_patiently(self, message_id: str, body: bytes) -> HttpAnswer:
        """Ask, and ask again while there is time: a tool that is overloaded or restarting gets a moment."""
        until = time.monotonic() + self._seconds
        for attempt in range(1, _ATTEMPTS + 1):
            try:
                return self._ask(message_id, body, until - time.monotonic())
            except HttpCallError:
                if attempt == _ATTEMPTS or until - time.monotonic() < 2 * self._pause_seconds:
                    raise
                time.sleep(self._pause_seconds)
        raise AssertionError("unreachable")

    def _ask(self, message_id: str, body: bytes, seconds: float) -> HttpAnswer:
        now = datetime.fromtimestamp(self._clock(), UTC)
        headers = {
            "Content-Type": "application/json",
            "User-Agent": "wa-service",
            "webhook-id": message_id,
            "webhook-timestamp": str(int(now.timestamp())),
            "webhook-signature": self._webhook.sign(message_id, now, body.decode()),
        }
        answer = self._caller.post(self._url, seconds=seconds, headers=headers, data=body)
        if answer.status >= 500 or answer.status in {408, 425, 429}:
            raise HttpCallError(f"HTTP {answer.status}")
        return answer


def _checked_secret(secret: str) -> str:
    """Return a secret as the standard writes it; a short or readable one would be signed with all the same."""
    try:
        key = base64.b64decode(secret.removeprefix("whsec_"), validate=True)
    except binascii.Error:
        key = b""
    if not 24 <= len(key) <= 64:
        raise ValueError("the secret must be whsec_ and base64 of 24 to 64 random bytes")
    return secret


def _request(utterance: Utterance) -> dict[str, Any]:
    return {
        "id": utterance.id,
        "conversation": utterance.conversation,
        "phone_number_id": utterance.phone_number_id,
        "timestamp": utterance.timestamp,
        "name": utterance.name,
        "text": utterance.text,
        "intent": utterance.intent or None,
        "transcript": utterance.transcript,
        "confidence": utterance.confidence,
        "contact": dict(utterance.contact),
        "message": utterance.message,
    }


def _replies(answer: HttpAnswer) -> tuple[dict[str, Any], ...]:
    if answer.status == 204:
        return ()
    if answer.status != 200:
        raise UnusableReplyError(f"HTTP {answer.status}")
    try:
        content = orjson.loads(answer.body)
    except orjson.JSONDecodeError:
        raise UnusableReplyError("not JSON") from None
    messages = content.get("messages") if isinstance(content, Mapping) else None
    if not isinstance(messages, list) or len(messages) > MAX_REPLIES:
        raise UnusableReplyError(f"'messages' must be a list of at most {MAX_REPLIES}")
    if not all(isinstance(message, dict) for message in messages):
        raise UnusableReplyError("a message must be an object")
    return tuple(checked_reply(message) for message in messages)
