"""Normalise phone numbers as people and spreadsheets write them; refuse ambiguous ones (reference 2.1).

REST, the command line, look-up and erasure use this one function. Addresses from Meta are not normalised by it.
"""

from __future__ import annotations

import re
import unicodedata
from dataclasses import dataclass
from functools import cache
from typing import Final

import phonenumbers
from phonenumbers.phonemetadata import PhoneMetadata

_DIGITS: Final = re.compile(r"[1-9][0-9]{6,14}")
_USER_ID: Final = re.compile(r"[A-Za-z]{2}\.(?:ENT\.)?[A-Za-z0-9]{1,128}")
_URI: Final = re.compile(r"tel:", re.IGNORECASE)
_PLUS: Final = frozenset("+\uff0b\ufe62\ufb29\u207a\u208a\u2795")
_SEPARATOR_CATEGORIES: Final = frozenset({"Pd", "Ps", "Pe", "Zs"})
"""Dashes, brackets and spaces of any script."""
_OTHER_DASHES: Final = frozenset("\u2212\u207b\u208b\u2796\u30fc\uff70")
"""Minus signs, and the Japanese sound mark that is typed as a dash."""
_INVISIBLE: Final = re.compile(
    "[\u034f\u115f\u1160\u17b4\u17b5\u180b-\u180f\u3164\ufe00-\ufe0f\uffa0\U000e0100-\U000e01ef]"
)
"""Characters that Unicode does not display, other than format characters (category Cf)."""
_SHORTEST: Final = 7
_LONGEST_TEXT: Final = 256
_DOMESTIC_GROUPS: Final = ([3, 3, 4], [3, 7])
"""How North American numbers without a country code are grouped."""
_FORM: Final = "The number must have 7 to 15 digits, country code first, such as +15551234567."
_LEADING_ZERO: Final = "The number begins with 0: write the country code first, such as +15551234567."
_TWO_NUMBERS: Final = "Give one number: this looks like two."
_TRUNK: Final = "The number has a national prefix after its country code: leave it out, such as +44 7700 900123."
_NO_COUNTRY: Final = "The number seems to have no country code: write it first, such as +15551234567."
_TOO_LONG: Final = "The number is too long for its country: give one number, country code first, without an extension."
_SPELLING_OF_META: Final = re.compile(r"521\d{10}|549\d{10}")
"""Mexico and Argentina: Meta's numbers contain a mobile prefix that is not dialled (5.4)."""


@dataclass(frozen=True, slots=True)
class _Written:
    """A number as written: its groups of digits, and `brackets`: how many digits precede each bracket."""

    groups: tuple[str, ...]
    has_plus: bool
    brackets: tuple[int, ...]

    @property
    def digits(self) -> str:
        return "".join(self.groups)


def normalise_number(number: str | float) -> str:
    """Return a phone number as digits with its country code.

    Punctuation is removed, any script's digits become ASCII, `00` and `tel:` are read as `+`, and a national prefix
    after the country code (`+44 (0) 7700 …`) is dropped if the country has one. Raises ValueError with a sentence
    that names the problem without the number.
    """
    text = str(number) if isinstance(number, int) and not isinstance(number, bool) and number > 0 else number
    if not isinstance(text, str):
        raise ValueError("The number must be a string, or a positive integer.")  # noqa: TRY004 - one class
    if len(text) > _LONGEST_TEXT:
        raise ValueError(_FORM)
    written = _Written((text,), False, ()) if text.isascii() and text.isdigit() else _read(text)
    digits = written.digits.removeprefix("00")
    if digits.startswith("0"):
        raise ValueError(_LEADING_ZERO)
    if not _DIGITS.fullmatch(digits):
        raise ValueError(_FORM)
    is_plain = text.removeprefix("+") == digits
    if not is_plain:
        _refuse_doubtful(written, digits)
    return _without_national_prefix(digits, is_plain=is_plain)


def is_number(text: str) -> bool:
    """Return whether `text` has the form of a phone number, as digits with its country code."""
    return _DIGITS.fullmatch(text) is not None


def _read(text: str) -> _Written:
    """Split a number with punctuation; raise ValueError if it is invalid or ambiguous."""
    if _USER_ID.fullmatch(text):
        raise ValueError("This is a business-scoped user id: give it as recipient, not as to.")
    # Numbers copied from a page or an address book often contain invisible characters.
    visible = "".join(mark for mark in _INVISIBLE.sub("", text) if unicodedata.category(mark) != "Cf").strip()
    visible = _URI.sub("", visible, count=1) if _URI.match(visible) else visible
    groups: list[str] = [""]
    brackets: list[int] = []
    has_plus = False
    for mark in visible:
        category = unicodedata.category(mark)
        if mark.isdecimal():
            groups[-1] += str(unicodedata.decimal(mark))
        elif mark in _PLUS:
            if any(groups):
                raise ValueError(_TWO_NUMBERS)
            has_plus = True
        elif category in _SEPARATOR_CATEGORIES or mark in _OTHER_DASHES:
            groups.append("")
            if category in {"Ps", "Pe"}:
                brackets.append(sum(map(len, groups)))
        else:
            raise ValueError(f"The number may not contain {_named(mark)}.")
    if sum(len(group) >= _SHORTEST for group in groups) > 1:
        raise ValueError(_TWO_NUMBERS)
    return _Written(tuple(filter(None, groups)), has_plus, tuple(brackets))


def _named(mark: str) -> str:
    controls = {"\n": "a line break", "\r": "a line break", "\t": "a tab"}
    name = unicodedata.name(mark, "").lower()
    return controls.get(mark) or (f'"{mark}" ({name})' if mark.isprintable() and name else "a control character")


def _refuse_doubtful(written: _Written, digits: str) -> None:
    """Raise ValueError if the text may be two numbers, or a number without its country code."""
    metadata, national = _country(digits)
    code = digits.removesuffix(national)
    left = ""
    for group in written.groups:
        right = written.digits[len(left) :]
        if min(len(left), len(right)) >= _SHORTEST and right.startswith(code):
            raise ValueError(_TWO_NUMBERS)
        left += group
    if written.has_plus or written.digits != digits or metadata is None:
        return
    # "(650) 253-0000" is not from Singapore (65), "8 (495) 123-45-67" not from Vietnam (84).
    split = next((place for place in written.brackets if place), len(code))
    if split < len(code) or (written.brackets[:1] == (0,) and split != len(code)):
        raise ValueError(_NO_COUNTRY)
    if [len(group) for group in written.groups] in _DOMESTIC_GROUPS or _possible(digits) in _TOO_FEW:
        raise ValueError(_NO_COUNTRY)


def _without_national_prefix(digits: str, *, is_plain: bool) -> str:
    """Drop the national prefix after the country code; plain digits that are not a valid number are not refused."""
    metadata, national = _country(digits)
    if metadata is None or _SPELLING_OF_META.fullmatch(digits):
        return digits
    is_too_long = _possible(digits) == phonenumbers.ValidationResult.TOO_LONG
    if not (is_too_long or national.startswith(("0", metadata.national_prefix or "0"))):
        return digits
    parsed = phonenumbers.parse(f"+{digits}")
    shorter = phonenumbers.format_number(parsed, phonenumbers.PhoneNumberFormat.E164).removeprefix("+")
    if national.startswith("0") and shorter == digits and not is_too_long:
        if _keeps_zero(metadata) or phonenumbers.is_valid_number(parsed):
            return digits
        if not is_plain:
            raise ValueError(_TRUNK)
        without_zero = digits.removesuffix(national) + national[1:]
        return without_zero if phonenumbers.is_valid_number(phonenumbers.parse(f"+{without_zero}")) else digits
    if phonenumbers.is_possible_number(parsed):
        return shorter
    if national.startswith("0") and not is_plain:
        raise ValueError(_TRUNK)
    if is_too_long and not is_plain:
        raise ValueError(_TOO_LONG)
    return digits


_TOO_FEW: Final = (phonenumbers.ValidationResult.TOO_SHORT, phonenumbers.ValidationResult.IS_POSSIBLE_LOCAL_ONLY)


def _possible(digits: str) -> int:
    """Return whether the digits' length is possible in their country (a value of `phonenumbers.ValidationResult`)."""
    _, national = _country(digits)
    zeros = len(national) - len(national.lstrip("0"))
    number = phonenumbers.PhoneNumber(
        country_code=int(digits.removesuffix(national)),
        national_number=int(national),
        italian_leading_zero=zeros > 0,
        number_of_leading_zeros=zeros or None,
    )
    return phonenumbers.is_possible_number_with_reason(number)


def _keeps_zero(metadata: PhoneMetadata) -> bool:
    """Whether the country's numbers begin with 0, as Italy's do."""
    kinds = (metadata.fixed_line, metadata.mobile)
    return any(((kind and kind.example_number) or "").startswith("0") for kind in kinds)


def _country(digits: str) -> tuple[PhoneMetadata | None, str]:
    """Return the metadata of the number's country, None if no country has the code, and the rest of the number."""
    for length in (1, 2, 3):
        if int(digits[:length]) in phonenumbers.COUNTRY_CODE_TO_REGION_CODE:
            return _metadata(int(digits[:length])), digits[length:]
    return None, digits


@cache
def _metadata(country_code: int) -> PhoneMetadata | None:
    region = phonenumbers.region_code_for_country_code(country_code)
    return PhoneMetadata.metadata_for_region_or_calling_code(country_code, region)
