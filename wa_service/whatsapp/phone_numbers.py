"""Read a phone number as people and spreadsheets write it, and never as another person's (reference 2.1).

One function for REST, the command line, look-up and erasure. Addresses that Meta gave us are not read by it.
"""

from __future__ import annotations

import re
import unicodedata
from functools import cache
from typing import Final

import phonenumbers
from phonenumbers.phonemetadata import PhoneMetadata

_DIGITS: Final = re.compile(r"[1-9][0-9]{6,14}")
_USER_ID: Final = re.compile(r"[A-Za-z]{2}\.(?:ENT\.)?[A-Za-z0-9]{1,128}")
_URI: Final = re.compile(r"tel:", re.IGNORECASE)
_PLUS: Final = frozenset("+\uff0b\ufe62")
_SEPARATOR_CATEGORIES: Final = frozenset({"Pd", "Ps", "Pe", "Zs"})
"""Dashes, brackets and spaces of any script."""
_SHORTEST: Final = 7
_FORM: Final = "The number must have 7 to 15 digits, country code first, such as +15551234567."
_LEADING_ZERO: Final = "The number begins with 0: write the country code first, such as +15551234567."
_TWO_NUMBERS: Final = "Give one number: this looks like two."
_TRUNK: Final = "The number has a national prefix after its country code: leave it out, such as +44 7700 900123."


def normalise_number(number: str | float) -> str:
    """Return a phone number as digits with its country code.

    Decoration is taken away, any script's digits become ASCII, `00` and `tel:` are read as `+`, and a national prefix
    after the country code (`+44 (0) 7700 …`) is dropped where the country has one. Raises ValueError with a sentence
    that names what is wrong and does not repeat the number.
    """
    text = str(number) if isinstance(number, int) and not isinstance(number, bool) and number > 0 else number
    if not isinstance(text, str):
        raise ValueError("The number must be a text, or a whole number without sign.")  # noqa: TRY004 - one class
    digits = text if text.isascii() and text.isdigit() else _digits_of(text)
    digits = digits.removeprefix("00")
    if digits.startswith("0"):
        raise ValueError(_LEADING_ZERO)
    if not _DIGITS.fullmatch(digits):
        raise ValueError(_FORM)
    return _without_national_prefix(digits, is_plain=text.removeprefix("+") == digits)


def is_number(text: str) -> bool:
    """Return whether `text` has the form of a phone number, as digits with its country code."""
    return _DIGITS.fullmatch(text) is not None


def _digits_of(text: str) -> str:
    """Return the digits of a decorated number; raise ValueError for what has no or more than one meaning."""
    if _USER_ID.fullmatch(text):
        raise ValueError("This is a business-scoped user id: give it as recipient, not as to.")
    # Invisible marks come along when a number is copied from a page or an address book.
    visible = "".join(mark for mark in text if unicodedata.category(mark) != "Cf").strip()
    visible = _URI.sub("", visible, count=1) if _URI.match(visible) else visible
    groups: list[str] = [""]
    for place, mark in enumerate(visible):
        if mark.isdecimal():
            groups[-1] += str(unicodedata.decimal(mark))
        elif mark in _PLUS:
            if place and any(groups):
                raise ValueError(_TWO_NUMBERS)
        elif unicodedata.category(mark) in _SEPARATOR_CATEGORIES:
            groups.append("")
        else:
            raise ValueError(f"The number may not contain {_named(mark)}.")
    if sum(len(group) >= _SHORTEST for group in groups) > 1:
        raise ValueError(_TWO_NUMBERS)
    return "".join(groups)


def _named(mark: str) -> str:
    controls = {"\n": "a line break", "\r": "a line break", "\t": "a tab"}
    name = unicodedata.name(mark, "").lower()
    return controls.get(mark) or (f'"{mark}" ({name})' if mark.isprintable() and name else "a control character")


def _without_national_prefix(digits: str, *, is_plain: bool) -> str:
    """Drop the national prefix after the country code; digits that are no number anyway are not judged."""
    metadata, national = _country(digits)
    prefix = metadata.national_prefix if metadata else None
    if metadata is None or not national.startswith(("0", prefix or "0")):
        return digits
    parsed = phonenumbers.parse(f"+{digits}")
    if phonenumbers.is_possible_number(parsed):
        return phonenumbers.format_number(parsed, phonenumbers.PhoneNumberFormat.E164).removeprefix("+")
    if national.startswith("0") and not is_plain:
        raise ValueError(_TRUNK)
    return digits


def _country(digits: str) -> tuple[PhoneMetadata | None, str]:
    """Return what is known of the number's country, None where no country has the code; and the rest of the number."""
    for length in (1, 2, 3):
        if int(digits[:length]) in phonenumbers.COUNTRY_CODE_TO_REGION_CODE:
            return _metadata(int(digits[:length])), digits[length:]
    return None, digits


@cache
def _metadata(country_code: int) -> PhoneMetadata | None:
    region = phonenumbers.region_code_for_country_code(country_code)
    return PhoneMetadata.metadata_for_region_or_calling_code(country_code, region)
