"""What becomes of a send, by what Meta (or the network) said. Pure: an error in, an ending out.

===================================  ==================================================================
it left never, Meta is unwell        again, with a growing jittered pause, until its time to live is over
1, 2, 131000                         again a few times within two minutes, then failed
too fast                             again; the number slows down (130429) or pauses
this customer got too many (131056)  again after 4^n s; others go on
token, account, payment              again; the number pauses until a person acted
paused template (132015)             held, until the template may be sent again
request, recipient, template, media  failed, at once
it left and no answer came           unknown; never repeated blindly
===================================  ==================================================================

Where Meta's answer asks for a time (`Retry-After`, its usage header), that is honoured in place of ours.
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
# The lanes take a longer pause for a clock that was turned back.
LONGEST_ASKED_FOR = 3_600.0
PAIR_DELAYS = (1.0, 4.0, 16.0, 64.0, 256.0)
THROTTLE_PAUSE = 60.0
TOO_FAST = 130429
TEMPLATE_PAUSED = 132015


@dataclass(frozen=True, slots=True)
class Verdict:
    """The record's ending, and what it means for its number: a slower pace, or a pause (s) with its reason."""

    ending: SendOutcome
    cut: bool = False
    pause: float | None = None
    alert: bool = False


def judge(error: WhatsAppError, grant: Grant) -> Verdict:
    """What becomes of the granted send after this error."""
    facts = error_record(error)
    match error.group:
        case "transient":
            tried = not isinstance(error, WhatsAppCircuitOpenError)
            delay = _asked(error) or _growing(grant.unwell_retries)
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
            delay = _asked(error) or _jittered(LIMITED_DELAYS[grant.limited_retries])
            return Verdict(
                SendOutcome(
                    "retry", delay=delay, retry_class="limited", error=facts, meta_healthy=False, reason="meta_unwell"
                )
            )
        case "maintenance":
            pause = _asked(error) or THROTTLE_PAUSE
            return Verdict(SendOutcome("retry", delay=pause, error=facts), pause=pause)
        case "throttled":
            if error.code == TOO_FAST:
                delay = _asked(error) or _jittered(1.0)
                return Verdict(SendOutcome("retry", delay=delay, error=facts, meta_healthy=True), cut=True)
            pause = _asked(error) or THROTTLE_PAUSE
            return Verdict(SendOutcome("retry", error=facts), pause=pause)
        case "pair":
            delay = max(_asked(error) or 0.0, PAIR_DELAYS[min(grant.pair_retries, len(PAIR_DELAYS) - 1)])
            return Verdict(SendOutcome("retry", delay=delay, retry_class="pair", error=facts, meta_healthy=True))
        case "account":
            return Verdict(SendOutcome("retry", error=facts), pause=_asked(error) or 0.0, alert=True)
        case "unknown":
            return Verdict(SendOutcome("unknown", error=facts, meta_healthy=False, reason="meta_unwell"))
        case "template" if error.code == TEMPLATE_PAUSED:
            return Verdict(SendOutcome("held", delay=FIRST_PAUSE, error=facts, meta_healthy=True))
        case _:
            return Verdict(SendOutcome("failed", error=facts, code=error.code, meta_healthy=True))


def error_record(error: WhatsAppError) -> dict[str, Any]:
    """An error as the record keeps it and the caller sees it."""
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


def _asked(error: WhatsAppError) -> float | None:
    """What Meta's answer itself asked for; what the table of codes advises is the same for all, and never grows."""
    return None if error.requested_wait is None else min(error.requested_wait, LONGEST_ASKED_FOR)


def _growing(tries: int) -> float:
    return _jittered(min(LONGEST_DELAY, 0.5 * 2.0 ** min(tries, 10)))


def _jittered(seconds: float) -> float:
    return seconds * random.uniform(0.75, 1.25)  # noqa: S311 - spreads a herd, guards nothing
