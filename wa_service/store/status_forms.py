"""The stored forms of Meta's statuses: the status key, the event, Meta's error, and foreign statuses."""

from __future__ import annotations

import re
from collections.abc import Mapping
from hashlib import sha1
from typing import Any

import orjson

from wa_service.store.keys import mark
from wa_service.store.records import RANKS
from wa_service.store.size_limits import bounded, fits
from wa_service.whatsapp.countries import country_of
from wa_service.whatsapp.errors import WhatsAppError
from wa_service.whatsapp.webhooks.identity import identity_of_address, identity_of_recipient
from wa_service.whatsapp.webhooks.status import MessageStatus

KEPT_BYTES = 16_384
LONGEST_SENTENCE = 1_024
LONGEST_WORD = 32
_CHARGED = frozenset({"delivered", "read", "played"})
_NOT_A_LETTER = re.compile("[^a-z]")
_RECORD_ID = re.compile("[0-9a-f]{32}f?")


def status_key(not_message: str, status: str) -> str:
    """Return a status as the record has it: one with a rank, else a short word that cannot be one."""
    if not not_message and status in RANKS:
        return status
    return f"{not_message or 'other'}_{_NOT_A_LETTER.sub('_', status[:LONGEST_WORD].lower())}"


def status_event(status: MessageStatus, at_ms: int, failure: Mapping[str, Any] | None) -> dict[str, Any]:
    """Return a status for the events stream; `failure` as returned by `failure_of`.

    Subscribers in Meta's form get Meta's objects as they are; `push/event_form.py` reads the other form from them.
    """
    event: dict[str, Any] = {"status": status.status[:LONGEST_WORD], "time": at_ms, "error": failure}
    if status.participant:
        event["participant"] = status.participant
    if status.contact is not None and fits(status.contact, KEPT_BYTES):
        event["beside"] = status.contact
    return event | {"raw": bounded(status.raw, KEPT_BYTES)}


def subject_digest(status: MessageStatus) -> str:
    """Return the digest of the payment or call that a status is about, "" for the message itself."""
    if status.subject is None:
        return ""
    content = orjson.dumps(bounded(status.subject, KEPT_BYTES), option=orjson.OPT_SORT_KEYS)
    return sha1(content, usedforsecurity=False).hexdigest()


def foreign_recipient(status: MessageStatus) -> bytes:
    """Return the recipient of another system's send as the steps' `who` argument; empty if Meta names none.

    Empty also for a status with an id of ours: if its send is not stored, the person may have been erased, and nothing
    that identifies them is stored again.
    """
    if not status.addresses or _RECORD_ID.fullmatch(status.biz_opaque_callback_data):
        return b""
    who = identity_of_recipient(status.raw, status.contact)
    if not (who.numbers or who.user_ids):
        who = identity_of_address(status.addresses[0])
    return orjson.dumps(who.as_argument(0))


def foreign_status(status: MessageStatus, at_ms: int) -> dict[str, Any]:
    """Return a status as it is kept aside, without anything that identifies the customer.

    It may be a late status of a send to an erased person; a wamid contains the number, its digest does not.
    """
    return {
        "mark": mark(status.phone_number_id, status.id).hex(),
        "status": status.status[:LONGEST_WORD],
        "time": at_ms,
        "code": status.errors[0].code if status.errors else None,
    }


def failure_of(error: WhatsAppError) -> dict[str, Any]:
    """Return Meta's error of a failed status, in the record's form."""
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
    """Return the customer's country if Meta may charge for the status, else ""; in a group the participant's."""
    if status.status not in _CHARGED:
        return ""
    addresses = (status.participant,) if status.participant else status.addresses
    return next(filter(None, map(country_of, addresses)), "")
