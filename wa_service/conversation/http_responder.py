"""`WA_RESPONDER=http`: replies from a tool of the operator's.

Each message is POSTed as JSON, signed by Standard Webhooks. Retries have the same `webhook-id`, so that the tool can be
idempotent; other content under the same message id has another one. The tool answers 200 with `{"messages": [Meta
message objects without "to"], "pause": seconds, "mark_read": false}`, all optional, or 204 for no reply.
"""

from __future__ import annotations

import base64
import binascii
import time
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from hashlib import blake2b
from typing import Any

import orjson
from standardwebhooks import Webhook

from wa_service.conversation.outside_responder import OutsideResponder
from wa_service.conversation.reply_check import UnusableReplyError, checked_reply
from wa_service.conversation.responder import ResponderAnswer, ScriptResponder
from wa_service.conversation.script import MAX_REPLIES
from wa_service.conversation.utterance import Utterance
from wa_service.resilience.breaker import CircuitBreaker
from wa_service.resilience.http import HttpAnswer, HttpCaller
from wa_service.whatsapp.webhooks import tolerant_json

MAX_PAUSE = 30 * 86_400.0
"""The longest pause in seconds."""


class HttpResponder:
    """Ask the tool; while it fails, the script's fallback answers.

    `seconds`: for all attempts of one message together. Raises ValueError for an invalid secret.
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
        self._outside = OutsideResponder(
            scripted, service or CircuitBreaker("the responder"), seconds=seconds, pause_seconds=pause_seconds
        )
        self._caller = caller or HttpCaller()
        self._clock = clock

    def respond(self, utterance: Utterance) -> ResponderAnswer:
        """Return the tool's answer, or the script's fallback where it failed. Raises Unavailable."""
        body = orjson.dumps(_request(utterance), default=str)
        request_id = _request_id(utterance)
        return self._outside.answer(utterance, lambda seconds: self._ask(request_id, body, seconds), _read_answer)

    def _ask(self, request_id: str, body: bytes, seconds: float) -> HttpAnswer:
        now = datetime.fromtimestamp(self._clock(), UTC)
        headers = {
            "Content-Type": "application/json",
            "User-Agent": "wa-service",
            "webhook-id": request_id,
            "webhook-timestamp": str(int(now.timestamp())),
            "webhook-signature": self._webhook.sign(request_id, now, body.decode()),
        }
        return self._caller.post(self._url, seconds=seconds, headers=headers, data=body)


def _checked_secret(secret: str) -> str:
    """Return a secret in the standard's form; the library would also accept weak secrets."""
    try:
        key = base64.b64decode(secret.removeprefix("whsec_"), validate=True)
    except binascii.Error:
        key = b""
    if not 24 <= len(key) <= 64:
        raise ValueError("the secret must be whsec_ and base64 of 24 to 64 random bytes")
    return secret


def _request_id(utterance: Utterance) -> str:
    """Return the message's id with a digest of the content: it may be edited, or come again without its burst."""
    return f"{utterance.id}.{blake2b(orjson.dumps(utterance.messages, default=str), digest_size=6).hexdigest()}"


def _request(utterance: Utterance) -> dict[str, Any]:
    return {
        "id": utterance.id,
        "conversation": utterance.conversation,
        "phone_number_id": utterance.phone_number_id,
        "timestamp": utterance.timestamp,
        "kind": utterance.kind,
        "name": utterance.name,
        "text": utterance.text,
        "choice": utterance.choice or None,
        "intent": utterance.intent or None,
        "transcript": utterance.transcript,
        "confidence": utterance.confidence,
        "contact": dict(utterance.contact),
        "message": utterance.message,
        "messages": utterance.messages,
        **({"burst": len(utterance.messages)} if len(utterance.messages) > 1 else {}),
    }


def _read_answer(answer: HttpAnswer) -> ResponderAnswer:
    if answer.status == 204:
        return ResponderAnswer()
    if answer.status != 200:
        raise UnusableReplyError(f"HTTP {answer.status}")
    try:
        content = tolerant_json.loads(answer.body)
    except ValueError:
        raise UnusableReplyError("not JSON") from None
    if not isinstance(content, Mapping):
        raise UnusableReplyError("not a JSON object")
    pause, mark_read = content.get("pause"), content.get("mark_read", True)
    if pause is not None and (isinstance(pause, bool) or not isinstance(pause, (int, float)) or pause < 0):
        raise UnusableReplyError("'pause' must be seconds, 0 or more")
    if not isinstance(mark_read, bool):
        raise UnusableReplyError("'mark_read' must be true or false")
    # JSON with none of the three fields is not an answer of a responder.
    messages = content.get("messages", None if content.keys().isdisjoint({"pause", "mark_read"}) else [])
    if not isinstance(messages, list) or len(messages) > MAX_REPLIES:
        raise UnusableReplyError(f"'messages' must be a list of at most {MAX_REPLIES}")
    if not all(isinstance(message, dict) for message in messages):
        raise UnusableReplyError("a message must be an object")
    replies = tuple(checked_reply(message) for message in messages)
    return ResponderAnswer(replies, None if pause is None else min(float(pause), MAX_PAUSE), mark_read=mark_read)
