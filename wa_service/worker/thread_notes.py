"""Notes for a conversation's thread: how a message was handled, for people who read the thread later.

A note has the message's reference as in logs, and no content of messages.
"""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence

import orjson

from wa_service.conversation.pipeline import PipelineResult
from wa_service.store.stored_event import StoredEvent


def handled(burst: Sequence[StoredEvent], result: PipelineResult, started: float) -> str:
    """Return the note of messages that were handled together; `started`: on this process's monotonic clock.

    `with`: the other messages; `quiet`: why there was no automatic reply; `heard`: the transcription's confidence.
    """
    facts = {
        "m": burst[0].reference,
        "with": [stored.reference for stored in burst[1:]] or None,
        "ms": round((time.monotonic() - started) * 1000),
        "replies": len(result.replies),
        "intent": result.intent or None,
        "score": None if result.score is None else round(result.score, 3),
        "quiet": result.quiet or None,
        "heard": result.confidence,
        "understood": result.is_understood if result.transcript is not None else None,
    }
    return _written(facts)


def retried(stored: StoredEvent, reason: str, delay: float) -> str:
    """Return the note of a message that is retried after `delay` s."""
    return _written({"m": stored.reference, "retry_ms": round(delay * 1000), "reason": reason})


def dead_lettered(stored: StoredEvent, letter_id: str, kind: str, reason: str) -> str:
    """Return the note of a message that became a dead letter."""
    return _written({"m": stored.reference, "letter": letter_id, "kind": kind, "reason": reason})


def _written(facts: Mapping[str, object]) -> str:
    return orjson.dumps({name: value for name, value in facts.items() if value is not None}).decode()
