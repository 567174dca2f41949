"""The story of one message: each step until the last status of its reply, and why it failed or got no reply."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Final

from wa_service.service.conversation_view import ThreadMessage
from wa_service.whatsapp.errors import CODES

_STATUS_WORDS: Final = {
    "scheduled": "Scheduled",
    "queued": "Queued",
    "sending": "Granted: it leaves",
    "unknown": "Unknown: it left, and no answer came",
    "accepted": "Accepted by Meta",
    "sent": "Sent by Meta",
    "delivered": "Delivered",
    "read": "Read",
    "played": "Played",
    "failed": "Failed",
    "canceled": "Canceled",
}
_QUIET: Final = {
    "paused": "A person of the business has taken over, so automatic replies are paused.",
    "other_application": "The thread belonged to another application, so nothing was answered.",
    "group": "It was written to a group, and groups are not answered (WA_GROUPS).",
    "stale": "It was too old to be answered when it was handled (WA_ANSWER_MAX_AGE).",
    "stopped": "The customer has said STOP.",
    "flood": "The customer wrote more than can be kept, so it was not handled.",
    "reply_limit": "The conversation reached WA_REPLY_LIMIT, so automatic replies are paused for half an hour.",
}
_CHANGES: Final = frozenset({"edit", "revoke"})
"""Types of messages that change one in the mailbox, and are not in it themselves then."""
_REPLY_LIMIT: Final = "reply-limit"
"""The reason of the pause that begins at the limit, and the name of its runbook."""
_FAILED: Final = {
    "expired": "It waited longer than its ttl, and was not sent.",
    "withdrawn": "A person of the business wrote meanwhile, so the automatic reply was withdrawn.",
    "no_word_from_meta": "Meta neither confirmed nor refused it, and it was not sent again.",
    "not_owner": "The thread belongs to another application.",
    "customer_stopped": "The customer has said STOP, and this template is marketing.",
    "marketing_limit": "The customer has had a week's marketing templates (WA_MARKETING_PER_WEEK).",
}


@dataclass(frozen=True, slots=True)
class StoryStep:
    """One step: when (ms since 1970), what, details, and seconds since the step before (None: the first)."""

    at: int
    what: str
    detail: str = ""
    seconds: float | None = None


@dataclass(frozen=True, slots=True)
class Reason:
    """Why a message got no reply, or did not arrive; `runbook`: the page about it, `letter`: its dead letter."""

    text: str
    advice: str = ""
    runbook: str = ""
    letter: str = ""


def story_of(message: ThreadMessage, near: Sequence[ThreadMessage]) -> list[StoryStep]:
    """Return a message's steps by time; `near`: the messages around it in its thread."""
    steps = list(_received(message, near) if message.direction == "in" else _sent(message))
    steps.sort(key=lambda step: step.at)
    counted, before = [], None
    for step in steps:
        counted.append(replace(step, seconds=None if before is None else max(0, step.at - before) / 1000))
        before = step.at
    return counted


def reason_of(message: ThreadMessage, near: Sequence[ThreadMessage]) -> Reason | None:
    """Return why a message was not answered, or did not arrive; None if it was, or did."""
    if message.direction == "in":
        return _unanswered(message, near)
    if message.status == "unknown":
        text = (
            "It was sent, and Meta did not respond. A status settles it; without one it fails later, or is sent once "
            "more (WA_RESEND_UNKNOWN)."
        )
        return Reason(text, runbook="sends-unknown")
    if message.status == "failed":
        return failure_reason(message.error or {})
    return None


def _unanswered(message: ThreadMessage, near: Sequence[ThreadMessage]) -> Reason | None:
    if message.letter:
        cause = next((str(note.get("reason")) for note in reversed(message.notes) if "letter" in note), "")
        text = "It could not be handled and is a dead letter."
        return Reason(text, cause, runbook="dead-letters", letter=message.letter)
    if message.quiet:
        return _silenced(message, near, message.quiet)
    answers = [other for other in near if other.answers == message.reference]
    if answers:
        return next((reason for answer in answers if (reason := reason_of(answer, near))), None)
    if not message.notes and message.raw.get("type") in _CHANGES:
        return Reason("It changes an earlier message, which waited; or nobody has handled it yet.")
    if not message.notes or "replayed" in message.notes[-1]:
        return Reason("Nobody has handled it yet.", "Check that workers run: the page Now.", runbook="queue-old")
    if any("retry_ms" in note for note in message.notes[-1:]):
        return Reason("Its handling failed and is retried.", str(message.notes[-1].get("reason") or ""))
    return Reason("It was handled, and needed no reply.")


def _silenced(message: ThreadMessage, near: Sequence[ThreadMessage], quiet: str) -> Reason:
    if quiet == "paused":
        cause = _paused_by(message, near)
        if cause is None or cause.kind != "pause" or cause.raw.get("reason") != _REPLY_LIMIT:
            return Reason(_QUIET[quiet], _who_took_over(cause))
        quiet = "reply_limit"
    text = _QUIET.get(quiet, f"There was no automatic reply: {quiet}.")
    return Reason(text, runbook=_REPLY_LIMIT if quiet == "reply_limit" else "")


def _paused_by(message: ThreadMessage, near: Sequence[ThreadMessage]) -> ThreadMessage | None:
    """The last event that paused the conversation before the message was handled; None: it is not near."""
    handled_at = max((int(note.get("at") or 0) for note in message.notes), default=message.at)
    for other in reversed([other for other in near if other.at <= handled_at]):
        if other.kind in {"echo", "pause"} or (other.kind == "console" and "pause" in other.content.text):
            return other
    return None


def _who_took_over(cause: ThreadMessage | None) -> str:
    match cause.kind if cause else "":
        case "echo":
            return "They wrote in the WhatsApp Business app: the echo is above it in the conversation."
        case "pause" if cause:
            return f"The bot was paused ({cause.content.text}), as shown above it in the conversation."
        case "console" if cause:
            return f"It was paused in the console ({cause.content.text.partition(':')[0]})."
    return "It was paused manually, or by the responder."


def failure_reason(error: Mapping[str, Any]) -> Reason:
    """Return why a send failed, from the error of its record."""
    reason, code = str(error.get("reason") or ""), error.get("code")
    if reason in _FAILED:
        return Reason(_FAILED[reason])
    title, details = (str(error.get(name) or "") for name in ("title", "details"))
    words = f"{title.rstrip('.')}. {details}" if title and details else title or details
    known = CODES.get(code) if isinstance(code, int) else None
    advice = str(error.get("advice") or (known.advice if known else ""))
    text = f"Meta refused it: {words or reason}" + (f" (code {code})" if code else "")
    return Reason(text, advice, runbook="sends-fail")


def _received(message: ThreadMessage, near: Sequence[ThreadMessage]) -> Iterator[StoryStep]:
    if message.written_at:
        yield StoryStep(min(message.written_at, message.at), "Written", "by Meta's clock, in whole seconds")
    yield StoryStep(message.at, "Received and stored")
    for note in message.notes:
        at = int(note.get("at") or 0)
        if "retry_ms" in note:
            detail = f"{note.get('reason') or ''}, again in {note['retry_ms'] / 1000:.0f} s"
            yield StoryStep(at, "Handling failed", detail)
        elif "letter" in note:
            yield StoryStep(at, "Became a dead letter", str(note.get("reason") or ""))
        elif note.get("quiet") == "flood":
            yield StoryStep(at, "Not handled", str(note.get("reason") or ""))
        elif "replayed" in note:
            yield StoryStep(at, "Replayed")
        else:
            yield StoryStep(max(message.at, at - int(note.get("ms") or 0)), "Taken by a worker")
            yield StoryStep(at, "Handled", _handled(note))
    if message.transcript is not None and message.heard_at:
        yield StoryStep(message.heard_at, "Heard", message.transcript)
    for answer in near:
        if answer.answers and answer.answers == message.reference:
            for step in _sent(answer):
                yield replace(step, what=f"Answer: {step.what}")


def _handled(note: Mapping[str, Any]) -> str:
    parts = []
    if note.get("intent"):
        parts.append(f"intent {note['intent']}" + (f" ({note['score']:.2f})" if "score" in note else ""))
    if note.get("quiet"):
        parts.append(f"not answered: {note['quiet']}")
    else:
        replies = int(note.get("replies", 0))
        parts.append(f"{replies} {'answer' if replies == 1 else 'answers'}")
    return ", ".join(parts)


def _sent(message: ThreadMessage) -> Iterator[StoryStep]:
    latest = 0
    for status, told_at in message.history:
        latest = at = max(latest, told_at)  # Meta's times are whole seconds: keep the order of the statuses
        detail = str((message.error or {}).get("title") or "") if status == "failed" else ""
        yield StoryStep(at, _STATUS_WORDS.get(status, status), detail)
    for note in message.notes:
        if "retry_ms" in note:
            code = f"code {note['code']}, " if isinstance(note.get("code"), int) else ""
            again = f"again in {float(note['retry_ms']) / 1000:.1f} s"
            yield StoryStep(
                int(note.get("at") or 0), "Meta did not take it", f"{code}{note.get('reason') or ''}, {again}"
            )
