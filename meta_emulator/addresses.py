"""Turn numbers in a business's spelling into WhatsApp ids (reference 2.1, 2.2, 9.2)."""

from __future__ import annotations

import re

_PUNCTUATION = str.maketrans("", "", "+-() \u00a0.")
_DIGITS = re.compile(r"[0-9]{5,20}")
_BSUID = re.compile(r"[A-Z]{2}\.(?:ENT\.)?[A-Za-z0-9]{1,128}")

_BRAZIL = re.compile(r"55([1-9][0-9])9([0-9]{8})")
_BRAZIL_SHORT = re.compile(r"55([1-9][0-9])([0-9]{8})")
_MEXICO = re.compile(r"52([2-9][0-9]{9})")
_MEXICO_MOBILE = re.compile(r"521([2-9][0-9]{9})")
_ARGENTINA = re.compile(r"54([1-8][0-9]{9})")
_ARGENTINA_MOBILE = re.compile(r"549([1-8][0-9]{9})")

# Countries that a generated business-scoped user id can name.
_COUNTRIES = {"1": "US", "44": "GB", "49": "DE", "52": "MX", "54": "AR", "55": "BR", "91": "IN", "351": "PT"}


def digits(address: str) -> str | None:
    """Return the digits of ``to`` without the punctuation Meta strips, or None where they form no number."""
    stripped = address.translate(_PUNCTUATION)
    return stripped if _DIGITS.fullmatch(stripped) else None


def is_bsuid(address: str) -> bool:
    """Return whether this is a business-scoped user id, plain or parent form."""
    return _BSUID.fullmatch(address) is not None


def wa_id(number: str) -> str:
    """Return the WhatsApp id of digits: Brazil loses its ninth digit, Mexico gains a 1, Argentina a 9."""
    if match := _BRAZIL.fullmatch(number):
        return f"55{match[1]}{match[2]}"
    if match := _MEXICO.fullmatch(number):
        return f"521{match[1]}"
    if match := _ARGENTINA.fullmatch(number):
        return f"549{match[1]}"
    return number


def spellings(number: str) -> tuple[str, ...]:
    """Return the number, its WhatsApp id and every other spelling of the same line."""
    found = [number, wa_id(number)]
    if match := _BRAZIL_SHORT.fullmatch(number):
        found.append(f"55{match[1]}9{match[2]}")
    if match := _MEXICO_MOBILE.fullmatch(number):
        found.append(f"52{match[1]}")
    if match := _ARGENTINA_MOBILE.fullmatch(number):
        found.append(f"54{match[1]}")
    return tuple(dict.fromkeys(found))


def country(number: str) -> str:
    """Return the ISO country of the number's prefix, ``US`` for an unknown one."""
    for length in (3, 2, 1):
        if code := _COUNTRIES.get(number[:length]):
            return code
    return "US"
