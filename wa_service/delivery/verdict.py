"""Decide the outcome of a send from an error of Meta's or the network's; a pure function.

===================================  ===================================================================
never left, or Meta is unhealthy     retry with exponential backoff and jitter, until its ttl expires
1, 2, 131000                         retry a few times within two minutes, then fail
rate limits                          retry; the number slows down (130429) or pauses
pair limit (131056)                  retry after 4^n s; other customers are not affected
token, account, payment              retry; the number pauses until a person acts
paused template (132015)             hold until the template may be sent again
syncing template, throttled Flow     hold as long as the table of codes says
request, recipient, template, media  fail at once
left without an answer               unknown; never retried blindly
===================================  ===================================================================

If Meta's answer names a time (`Retry-After`, its usage header), that one is used.
"""

from __future__ import annotations

import random
from dataclasses import dataclass
from typing import Any

from wa_service.store.grants import Grant
from wa_service.store.outbox import SendOutcome
from wa_service.store.template_pauses import FIRST_PAUSE
from wa_service.whatsapp.errors import WhatsAppCircuitOpenError, WhatsAppConnectionError, WhatsAppError

LIMITED_DELAYS = (3.0, 9.0, 27.0, 60.0)
LONGEST_DELAY = 60.0
LONGEST_REQUESTED_DELAY = 3_600.0
PAIR_DELAYS = (1.0, 4.0, 16.0, 64.0, 256.0)
THROTTLE_PAUSE = 60.0
TOO_FAST = 130429
TEMPLATE_PAUSED = 132015


@dataclass(frozen=True, slots=True)
class Verdict:
    """The record's outcome, and the consequence for its number: a slower pace (`slow_down`), or a pause (s).

    `alert`: a person must act.
    """

    outcome: SendOutcome
    slow_down: bool = False
    pause: float | None = None
    alert: bool = False


def judge(error: WhatsAppError, grant: Grant) -> Verdict:
    """Decide the outcome of a granted send after this error."""
    facts = error_record(error)
    match error.group:
        case "transient":
            tried = not isinstance(error, WhatsAppCircuitOpenError)
            delay = _requested_delay(error) or _growing(grant.unwell_retries)
            return Verdict(
                SendOutcome(
                    "retry",
                    delay=delay,
                    retry_class="unwell",
                    error=facts,
                    meta_healthy=False if tried else None,
                    never_left=isinstance(error, WhatsAppConnectionError),
                    reason="meta_unwell",
                )
            )
        case "few":
            if grant.limited_retries >= len(LIMITED_DELAYS):
                return Verdict(
                    SendOutcome("failed", error=facts, code=error.code, meta_healthy=False, reason="meta_unwell")
                )
            delay = _requested_delay(error) or _jittered(LIMITED_DELAYS[grant.limited_retries])
            return Verdict(
                SendOutcome(
                    "retry", delay=delay, retry_class="limited", error=facts, meta_healthy=False, reason="meta_unwell"
                )
            )
        case "maintenance":
            pause = _requested_delay(error) or THROTTLE_PAUSE
            return Verdict(SendOutcome("retry", delay=pause, error=facts), pause=pause)
        case "throttled":
            if error.code == TOO_FAST:
                delay = _requested_delay(error) or _jittered(1.0)
                return Verdict(SendOutcome("retry", delay=delay, error=facts, meta_healthy=True), slow_down=True)
            pause = _requested_delay(error) or THROTTLE_PAUSE
            return Verdict(SendOutcome("retry", error=facts), pause=pause)
        case "pair":
            delay = max(_requested_delay(error) or 0.0, PAIR_DELAYS[min(grant.pair_retries, len(PAIR_DELAYS) - 1)])
            return Verdict(SendOutcome("retry", delay=delay, retry_class="pair", error=facts, meta_healthy=True))
        case "account":
            return Verdict(SendOutcome("retry", error=facts), pause=_requested_delay(error) or 0.0, alert=True)
        case "unknown":
            return Verdict(SendOutcome("unknown", error=facts, meta_healthy=False, reason="meta_unwell"))
        case "template" if error.retryable:
            delay = _requested_delay(error) or error.retry_after or FIRST_PAUSE
            reason = "template_paused" if error.code == TEMPLATE_PAUSED else "template_unavailable"
            return Verdict(SendOutcome("held", delay=delay, error=facts, meta_healthy=True, reason=reason))
        case _:
            return Verdict(SendOutcome("failed", error=facts, code=error.code, meta_healthy=True))


def error_record(error: WhatsAppError) -> dict[str, Any]:
    """Return an error as it is stored in the record and shown to callers."""
    return {
        "reason": error.group,
        "code": error.code,
        "subcode": error.subcode,
        "title": error.title,
        "details": error.details or None,
        "advice": error.advice,
        "fbtrace_id": error.fbtrace_id or None,
        "http_status": error.http_status,
    }


def _requested_delay(error: WhatsAppError) -> float | None:
    """The wait (s) that Meta's answer asks for, at most an hour."""
    return None if error.requested_wait is None else min(error.requested_wait, LONGEST_REQUESTED_DELAY)


def _growing(tries: int) -> float:
    return _jittered(min(LONGEST_DELAY, 0.5 * 2.0 ** min(tries, 10)))


def _jittered(seconds: float) -> float:
    return seconds * random.uniform(0.75, 1.25)  # noqa: S311 - jitter
