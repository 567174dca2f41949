"""What is kept of a status of Meta's: its place on the ladder, Meta's reason, and what of a send that is not ours."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from wa_service.store.keys import mark
from wa_service.store.records import RANKS
from wa_service.store.size_limits import bounded, fits
from wa_service.whatsapp.countries import country_of
from wa_service.whatsapp.errors import WhatsAppError
from wa_service.whatsapp.webhooks.status import MessageStatus

KEPT_BYTES = 16_384
LONGEST_SENTENCE = 1_024
LONGEST_WORD = 32
_CHARGED = frozenset({"delivered", "read", "played"})
_NOT_A_LETTER = re.compile("[^a-z]")


def status_key(not_message: str, status: str) -> str:
    """Return a status as the record has it: a step of the ladder, else a short word that cannot be one."""
    if not not_message and status in RANKS:
        return status
    return f"{not_message or 'other'}_{_NOT_A_LETTER.sub('_', status[:LONGEST_WORD].lower())}"


def status_event(status: MessageStatus, at_ms: int, failure: Mapping[str, Any] | None) -> dict[str, Any]:
    """Return what the events stream has of a status; `failure` as `failure_of` gives it.

    Meta's own objects are what subscribers in Meta's form are sent; `push/event_form.py` reads the rest out of them.
    """
    event: dict[str, Any] = {"status": status.status[:LONGEST_WORD], "time": at_ms, "error": failure}
    if status.participant:
        event["participant"] = status.participant
    if status.contact is not None and fits(status.contact, KEPT_BYTES):
        event["beside"] = status.contact
    return event | {"raw": bounded(status.raw, KEPT_BYTES)}


def foreign_status(status: MessageStatus, at_ms: int) -> dict[str, Any]:
    """A status of a send that is not ours, as it is kept: with nothing that tells the customer.

    It may be the late status of a send to somebody who is forgotten; a wamid holds the number, its digest does not.
    """
    return {
        "mark": mark(status.phone_number_id, status.id).hex(),
        "status": status.status[:LONGEST_WORD],
        "time": at_ms,
        "code": status.errors[0].code if status.errors else None,
    }


def failure_of(error: WhatsAppError) -> dict[str, Any]:
    """Meta's reason for a failed status, in the record's form."""
    return {
        "reason": error.group,
        "code": error.code,
        "subcode": error.subcode,
        "title": _sentence(error.title),
        "details": None if error.details == error.title else _sentence(error.details),
        "advice": error.advice,
    }


def _sentence(text: str) -> str | None:
    return text[:LONGEST_SENTENCE] or None


def country_charged(status: MessageStatus) -> str:
    """Return the customer's country where the status may be what Meta charges for, else ""."""
    if status.status not in _CHARGED:
        return ""
    return next(filter(None, map(country_of, status.addresses)), "")
