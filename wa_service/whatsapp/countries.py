"""The country of an address, as its ISO 3166 code."""

from __future__ import annotations

from functools import lru_cache
from typing import Final

import phonenumbers

from wa_service.whatsapp.addresses import is_user_id
from wa_service.whatsapp.phone_numbers import is_number

_PREFIX: Final = 7
"""Digits that determine a number's country among those that share a country code (+1, +7, +44 …)."""


def country_of(address: str) -> str:
    """Return the country of a customer's address, "" if it has none, such as a group's."""
    if is_user_id(address):
        return address[:2]
    if not is_number(address):
        return ""
    for length in (1, 2, 3):
        if regions := phonenumbers.COUNTRY_CODE_TO_REGION_CODE.get(int(address[:length])):
            region = regions[0] if len(regions) == 1 else _shared(address[:_PREFIX], len(address), str(regions[0]))
            return "" if region == "001" else str(region)
    return ""


@lru_cache(maxsize=16_384)
def _shared(beginning: str, length: int, main: str) -> str:
    """Look up the country of a prefix, cached, since a look-up takes 0.2 ms."""
    try:
        parsed = phonenumbers.parse("+" + beginning.ljust(length, "0"))
    except phonenumbers.NumberParseException:
        return main
    return phonenumbers.region_code_for_number(parsed) or main
