"""Whom a message goes to: phone numbers, business-scoped user ids (BSUID) and groups (reference 2.1, 2.9)."""

from __future__ import annotations

import re
from typing import Final

_DECORATION: Final = re.compile(r"[\s()\[\]+\u2010-\u2015-]")
_NUMBER: Final = re.compile(r"[1-9][0-9]{6,14}")
_USER_ID: Final = re.compile(r"[A-Z]{2}\.(?:ENT\.)?[A-Za-z0-9]{1,128}")


def normalise_number(text: str) -> str:
    """A phone number as digits with its country code: spaces, dashes, brackets and `+` are taken away.

    Raises ValueError with a sentence that does not repeat the number.
    """
    digits = _DECORATION.sub("", text)
    if not _NUMBER.fullmatch(digits):
        raise ValueError("The number must have 7 to 15 digits, country code first and no leading zero: +15551234567.")
    return digits


def as_stored(text: str) -> str:
    """A phone number as its digits, whatever stands between them; any other address as it is."""
    try:
        return normalise_number(text)
    except ValueError:
        return text


def is_number(text: str) -> bool:
    """Has `text` the form of a phone number, as digits with its country code?"""
    return _NUMBER.fullmatch(text) is not None


def is_user_id(text: str) -> bool:
    """Has `text` the form of a business-scoped user id or a parent's, such as `US.1349…` or `US.ENT.118…`?"""
    return _USER_ID.fullmatch(text) is not None


def spellings(number: str) -> tuple[str, ...]:
    """A number and Meta's other spelling of it, if there is one: Argentina's and Mexico's mobile mark, Brazil's ninth
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
