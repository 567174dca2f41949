"""`WA_RESPONDER=http`: a tool of the operator's says what to answer.

Each message is POSTed as JSON, signed the Standard Webhooks way; `webhook-id` is the message's id, the same in every
repetition, so that the tool can answer a repetition without doing the work twice. The tool answers 200 with
`{"messages": [Meta message objects without "to"]}`, or 204 for silence.
"""

import time
from collections.abc import Callable, Mapping
from typing import Any

import orjson

from wa_service.conversation.notice import Notice, say_nothing
from wa_service.conversation.reply_check import UnusableReplyError, checked_reply
from wa_service.conversation.responder import ScriptResponder, Understood
from wa_service.conversation.script import MAX_REPLIES
from wa_service.conversation.standard_webhooks import WebhookSigner
from wa_service.resilience.breaker import OutsideService
from wa_service.resilience.http import OutsideAnswer, OutsideCaller, OutsideCallError

_ATTEMPTS = 3


class HttpResponder:
    """Asks the tool; while it fails, the script's fallback answers.

    `seconds`: for all attempts of one message together.
    """

    def __init__(
        self,
        url: str,
        secret: str,
        scripted: ScriptResponder,
        *,
        seconds: float = 10.0,
        pause_seconds: float = 0.5,
        service: OutsideService | None = None,
        caller: OutsideCaller | None = None,
        clock: Callable[[], float] = time.time,
        notice: Notice = say_nothing,
    ) -> None:
        self._url = url
        self._signer = WebhookSigner(secret)
        self._scripted = scripted
        self._seconds = seconds
        self._pause_seconds = pause_seconds
        self._service = service or OutsideService("the responder")
        self._caller = caller or OutsideCaller()
        self._clock = clock
        self._notice = notice

    def respond(self, understood: Understood) -> tuple[dict[str, Any], ...]:
        """The tool's replies, or the script's fallback where it failed. Raises Unavailable while it is away."""
        body = orjson.dumps(_question(understood), default=str)
        try:
            with self._service.calling():
                answer = self._asked(understood.id, body)
        except OutsideCallError as error:
            self._notice("responder_failed", reason=str(error))
            return self._scripted.fallback(understood)
        try:
            return _replies(answer)
        except UnusableReplyError as error:
            self._notice("responder_answer_unusable", reason=str(error))
            return self._scripted.fallback(understood)

    def _asked(self, message_id: str, body: bytes) -> OutsideAnswer:
        """Ask, and ask again while there is time; a tool that is overloaded or restarting gets a moment."""
        until = time.monotonic() + self._seconds
        for attempt in range(1, _ATTEMPTS + 1):
            try:
                return self._ask(message_id, body, until - time.monotonic())
            except OutsideCallError:
                if attempt == _ATTEMPTS or until - time.monotonic() < 2 * self._pause_seconds:
                    raise
                time.sleep(self._pause_seconds)
        raise AssertionError("unreachable")

    def _ask(self, message_id: str, body: bytes, seconds: float) -> OutsideAnswer:
        headers = {
            "Content-Type": "application/json",
            "User-Agent": "wa-service",
            **self._signer.headers(message_id, int(self._clock()), body),
        }
        answer = self._caller.post(self._url, seconds=seconds, headers=headers, data=body)
        if answer.status >= 500 or answer.status in {408, 425, 429}:
            raise OutsideCallError(f"HTTP {answer.status}")
        return answer


def _question(understood: Understood) -> dict[str, Any]:
    return {
        "id": understood.id,
        "conversation": understood.conversation,
        "phone_number_id": understood.phone_number_id,
        "timestamp": understood.timestamp,
        "name": understood.name,
        "text": understood.text,
        "intent": understood.intent or None,
        "transcript": understood.transcript,
        "confidence": understood.confidence,
        "contact": dict(understood.contact),
        "message": understood.message,
    }


def _replies(answer: OutsideAnswer) -> tuple[dict[str, Any], ...]:
    if answer.status == 204:
        return ()
    if answer.status != 200:
        raise UnusableReplyError(f"HTTP {answer.status}")
    try:
        said = orjson.loads(answer.body)
    except orjson.JSONDecodeError:
        raise UnusableReplyError("not JSON") from None
    messages = said.get("messages") if isinstance(said, Mapping) else None
    if not isinstance(messages, list) or len(messages) > MAX_REPLIES:
        raise UnusableReplyError(f"'messages' must be a list of at most {MAX_REPLIES}")
    if not all(isinstance(message, dict) for message in messages):
        raise UnusableReplyError("a message must be an object")
    return tuple(checked_reply(message) for message in messages)
