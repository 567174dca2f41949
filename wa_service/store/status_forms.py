"""What is kept of a status of Meta's: its place on the ladder, Meta's reason, and what of a send that is not ours."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from wa_service.store.keys import mark
from wa_service.store.records import RANKS

KEPT_BYTES = 16_384
LONGEST_SENTENCE = 1_024
LONGEST_WORD = 32
# Meta's types of a status that is not about the message (reference 5.7): its "failed" is not the message's.
NON_MESSAGE_TYPES = ("payment", "call")
_NOT_A_LETTER = re.compile("[^a-z]")


def status_key(not_message: str, status: str) -> str:
    """Return a status as the record has it: a step of the ladder, else a short word that cannot be one."""
    if not not_message and status in RANKS:
        return status
    return f"{not_message or 'other'}_{_NOT_A_LETTER.sub('_', status[:LONGEST_WORD].lower())}"


def foreign_status(number: str, wamid: str, status: str, at_ms: int, code: int | None) -> dict[str, Any]:
    """A status of a send that is not ours, as it is kept: with nothing that tells the customer.

    It may be the late status of a send to somebody who is forgotten; a wamid holds the number, its digest does not.
    """
    return {"mark": mark(number, wamid).hex(), "status": status[:LONGEST_WORD], "time": at_ms, "code": code}


def failure_of(error: Mapping[str, Any]) -> dict[str, Any]:
    """Meta's reason for a failed status, in the record's form; whatever came, each field has its type."""
    data = error.get("error_data")
    code = error.get("code")
    return {
        "code": code if type(code) is int else None,
        "title": _sentence(error.get("title")) or _sentence(error.get("message")),
        "details": _sentence(data.get("details") if isinstance(data, dict) else data),
    }


def _sentence(said: object) -> str | None:
    return said[:LONGEST_SENTENCE] if isinstance(said, str) and said else None
