"""Addresses: phone numbers, business-scoped user ids (BSUID) and group ids (reference 2.1, 2.9)."""

from __future__ import annotations

import re
from typing import Final

from wa_service.whatsapp.phone_numbers import normalise_number

_COUNTRY_DOT: Final = re.compile(r"[A-Za-z]{2}\.")
_USER_ID: Final = re.compile(r"[A-Z]{2}\.(?:ENT\.)?[A-Za-z0-9]{1,128}")


def as_stored(text: str) -> str:
    """Return a phone number in any spelling as digits, any other address unchanged."""
    try:
        return normalise_number(text)
    except ValueError:
        return text


def is_user_id(text: str) -> bool:
    """Return whether `text` has the form of a business-scoped user id: `US.1349…`, or a parent's `US.ENT.118…`."""
    return _USER_ID.fullmatch(text) is not None


def spellings(number: str) -> tuple[str, ...]:
    """Return a number and Meta's other spelling of it, if any: Argentina's and Mexico's mobile prefix, Brazil's ninth
    digit (5.4). Messages come from one and may have to be sent to the other.
    """
    for pattern, other in _OTHER_SPELLINGS:
        if match := pattern.fullmatch(number):
            return number, other.format(*match.groups())
    return (number,)


_OTHER_SPELLINGS: Final = (
    (re.compile(r"549(\d{10})"), "54{}"),
    (re.compile(r"54([1-8]\d{9})"), "549{}"),
    (re.compile(r"521(\d{10})"), "52{}"),
    (re.compile(r"52([2-9]\d{9})"), "521{}"),
    (re.compile(r"55([1-9]{2})9([6-9]\d{7})"), "55{}{}"),
    (re.compile(r"55([1-9]{2})([6-9]\d{7})"), "55{}9{}"),
)


def recipient_fields(address: str, *, group: bool = False) -> dict[str, str]:
    """Return the fields that name a message's customer: `to` (a number, a group's id) or `recipient` (a user id)."""
    if group:
        return {"recipient_type": "group", "to": address}
    # Only the prefix is checked: ids from Meta are not validated.
    name = "recipient" if _COUNTRY_DOT.match(address) else "to"
    return {"recipient_type": "individual", name: address}
